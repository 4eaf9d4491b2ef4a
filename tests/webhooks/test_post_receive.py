"""The hook: what it tells the server and the pusher, in this process and as a real push."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.webhooks.repositories import bare_repository, clone_of, commit, environment, git
from tests.webhooks.samples import NEW, NOW, OLD, SECRET, ZERO, a_hook
from tests.webhooks.servers import Script, served, unused_port
from webhooks import post_receive
from webhooks.forges.git import Git
from webhooks.forges.registry import all_forges
from webhooks.install import install
from webhooks.memory import MemoryInbox
from webhooks.post_receive import CHAINED, SETTINGS, World, main
from webhooks.receiver import Receiver

SOURCE = Path(post_receive.__file__)
RUN = {"id": "run-3", "number": 3, "url": "http://ci/runs/3", "ref": "refs/heads/main"}
TAKEN = (202, {"delivery": "x", "runs": [RUN], "follow": "/follow/3?key=a"})
PUSHED = f"{OLD} {NEW} refs/heads/main\n".encode()
SORRY = "hookline: your push is in, but it started no run here"


class Bench:
    """A folder for the hook, and all that it says and waits for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.slept: list[float] = []
        self.environ: dict[str, str] = {"PATH": os.environ["PATH"], "USER": "ada"}
        self.seconds = iter([0.0] * 1000)

    def configure(self, url: str, wait: object = 0, secret: object = SECRET) -> None:
        told = {"url": f"{url}/hooks/git/abc", "secret": secret, "wait": wait}
        (self.folder / SETTINGS).write_text(json.dumps(told))

    def run(self, pushed: bytes = PUSHED) -> list[str]:
        world = World(
            folder=self.folder,
            environ=self.environ,
            say=self.said.append,
            clock=lambda: NOW,
            timer=lambda: next(self.seconds),
            sleep=self.slept.append,
        )
        main(world, pushed)
        return self.said

    def option(self, *options: str) -> None:
        self.environ["GIT_PUSH_OPTION_COUNT"] = str(len(options))
        for number, option in enumerate(options):
            self.environ[f"GIT_PUSH_OPTION_{number}"] = option


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_stands_alone() -> None:
    """Python 3.9 can read it, and it imports nothing that is not in every Python."""
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else _names(node))
    }
    assert imported <= set(sys.stdlib_module_names)


def _names(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]


def test_a_run_is_told(bench: Bench) -> None:
    with served(Script([TAKEN])) as server:
        bench.configure(server.url)
        assert bench.run() == ["hookline: run 3 of main: http://ci/runs/3"]
    (sent,) = server.received
    assert (sent.method, sent.path) == ("POST", "/hooks/git/abc")


def test_what_is_sent_verifies(bench: Bench) -> None:
    bench.option("ci.skip", "ü")
    with served(Script([TAKEN])) as server:
        bench.configure(server.url)
        bench.run()
    (sent,) = server.received
    Git().verify((SECRET,), sent.headers, sent.body, NOW)
    assert json.loads(sent.body) == {
        "type": "push",
        "changes": [
            {"ref": "refs/heads/main", "before": OLD, "after": NEW, "author": "", "message": ""}
        ],
        "pusher": "ada",
        "options": ["ci.skip", "ü"],
    }


def test_only_branches_and_tags_are_told(bench: Bench) -> None:
    pushed = (
        f"{OLD} {NEW} refs/notes/commits\n"
        f"{ZERO} {NEW} refs/tags/v1\n"
        f"{OLD} {ZERO} refs/heads/gone\n"
        f"{OLD} {NEW} refs/heads/\udcff\n"
        "junk\n"
    ).encode("utf-8", "surrogateescape")
    with served(Script([TAKEN])) as server:
        bench.configure(server.url)
        bench.run(pushed)
    told = json.loads(server.received[0].body)["changes"]
    assert [change["ref"] for change in told] == [
        "refs/tags/v1",
        "refs/heads/gone",
        "refs/heads/\udcff",
    ]


def test_nothing_to_tell_is_not_told(bench: Bench) -> None:
    assert bench.run(f"{OLD} {NEW} refs/notes/commits\n".encode()) == []
    assert bench.run(b"") == []


def test_tags_are_called_tags(bench: Bench) -> None:
    run = {**RUN, "ref": "refs/tags/v1"}
    with served(Script([(202, {"runs": [run, "junk", {**RUN, "ref": None}]})])) as server:
        bench.configure(server.url)
        assert bench.run() == [
            "hookline: run 3 of tag v1: http://ci/runs/3",
            "hookline: run 3 of None: http://ci/runs/3",
        ]


@pytest.mark.parametrize("content", [{}, {"runs": 7}, [], b"", b"\xff", b"[" * 100_000])
def test_an_answer_without_runs_says_nothing(content: object, bench: Bench) -> None:
    with served(Script([(202, content)])) as server:
        bench.configure(server.url, wait=5)
        assert bench.run() == []


def test_ignored_is_told(bench: Bench) -> None:
    with served(Script([(202, {"ignored": "its head commit asks to skip CI"})])) as server:
        bench.configure(server.url, wait=5)
        assert bench.run() == ["hookline: ignored: its head commit asks to skip CI"]


def test_a_refused_signature(bench: Bench) -> None:
    with served(Script([(401, {"message": "secret text"})])) as server:
        bench.configure(server.url)
        assert bench.run() == [
            "hookline: the server does not take this hook's signature; install the hook again",
            SORRY,
        ]
    assert len(server.received) == 1


def test_a_refused_push_says_why(bench: Bench) -> None:
    with served(Script([(400, {"message": "no ref\x1b[2J\x1b]0;x\x07\r\n"})])) as server:
        bench.configure(server.url)
        assert bench.run() == ["hookline: the server refuses the push (HTTP 400): no ref", SORRY]


def test_it_tries_again_under_the_same_id(bench: Bench) -> None:
    with served(Script([(503, {}), (429, {}), (500, b"oops"), TAKEN])) as server:
        bench.configure(server.url)
        assert bench.run() == ["hookline: run 3 of main: http://ci/runs/3"]
    assert len(server.received) == 4
    assert len({sent.headers["webhook-id"] for sent in server.received}) == 1
    assert bench.slept == list(post_receive.PAUSES)


def test_two_pushes_have_two_ids(bench: Bench) -> None:
    with served(Script([TAKEN])) as server:
        bench.configure(server.url)
        bench.run()
        bench.run()
    assert len({sent.headers["webhook-id"] for sent in server.received}) == 2


def test_it_gives_up_on_a_server_that_keeps_failing(bench: Bench) -> None:
    with served(Script([(502, b"bad gateway")])) as server:
        bench.configure(server.url)
        assert bench.run() == [f"hookline: the server at {server.url} answers with HTTP 502", SORRY]


def test_it_does_not_keep_the_pusher_waiting(bench: Bench) -> None:
    bench.seconds = iter([0.0, 14.0, 16.0])
    with served(Script([(502, b"bad gateway")])) as server:
        bench.configure(server.url)
        assert bench.run()[-1] == SORRY
    assert len(server.received) == 2


def test_it_gives_up_on_a_server_that_is_not_there(bench: Bench) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    bench.configure(url)
    first, second = bench.run()
    assert first.startswith(f"hookline: the server at {url} cannot be reached: ")
    assert second == SORRY


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://host:port", "cannot be reached"),
        ("http://", "cannot be reached"),
        ("https://127.0.0.1:{port}", "cannot be reached"),
        ("ftp://host", "no usable url"),
    ],
)
def test_addresses_that_do_not_work(url: str, told: str, bench: Bench) -> None:
    bench.configure(url.format(port=unused_port()))
    assert told in bench.run()[0]


def test_a_password_in_the_address_is_not_shown(bench: Bench) -> None:
    bench.configure(f"http://user:hunter2@127.0.0.1:{unused_port()}")
    assert "hunter2" not in "".join(bench.run())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("", "is broken"),
        ("[]", "is broken"),
        ('{"url": "http://x"}', "is broken"),
        ('{"url": "http://x", "secret": 7}', "is broken"),
        ('{"url": "http://x", "secret": "whsec_%"}', "is broken"),
        ('{"url": "http://x", "secret": "whsec_AAAA", "wait": "x"}', "is broken"),
        ('{"url": "http://x", "secret": "whsec_"}', "no usable url and secret"),
    ],
)
def test_settings_that_do_not_work(text: str | None, told: str, bench: Bench) -> None:
    if text is not None:
        (bench.folder / SETTINGS).write_text(text)
    first, second = bench.run()
    assert told in first
    assert SETTINGS in first
    assert second == SORRY


def test_following(bench: Bench) -> None:
    lines = ["lint: success", "\x1b[31mtest\x1b[0m:\tfailure\r", "", "b\udcffd"]
    with served(Script([TAKEN], lambda: lines)) as server:
        bench.configure(server.url, wait=60)
        assert bench.run() == [
            "hookline: run 3 of main: http://ci/runs/3",
            "lint: success",
            "test:\tfailure",
            "",
            "b\ufffdd",
        ]
    assert (server.received[1].method, server.received[1].path) == ("GET", "/follow/3?key=a")


def test_following_ends_when_the_wait_is_over(bench: Bench) -> None:
    bench.seconds = iter([0.0, 0.0, 1.0, 2.0, 61.0])
    with served(Script([TAKEN], lambda: ["one", "two", "three"])) as server:
        bench.configure(server.url, wait=60)
        assert bench.run()[1:] == ["one", "hookline: still running: http://ci/runs/3"]


def test_following_ends_when_the_stream_is_silent(bench: Bench) -> None:
    silence = Event()

    def lines() -> Iterator[str]:
        yield "one"
        silence.wait(10)

    # 30 s remain when the stream is opened, 0.2 s after its first line.
    bench.seconds = iter([0.0, 0.0, 0.0, 0.0, 29.8])
    with served(Script([TAKEN], lines)) as server:
        bench.configure(server.url, wait=30)
        told = bench.run()
        silence.set()
    assert told[1:] == ["one", "hookline: still running: http://ci/runs/3"]


def test_a_run_that_cannot_be_followed_still_runs(bench: Bench) -> None:
    with served(Script([TAKEN], follow_status=404)) as server:
        bench.configure(server.url, wait=60)
        assert bench.run()[1:] == ["hookline: still running: http://ci/runs/3"]


@pytest.mark.parametrize("follow", ["http://evil.example/x", "//evil.example/x", "x"])
def test_only_the_own_server_is_followed(follow: str, bench: Bench) -> None:
    with served(Script([(202, {"runs": [RUN], "follow": follow})])) as server:
        bench.configure(server.url, wait=60)
        assert bench.run()[1:] == ["hookline: the server gives no path to follow"]
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("wait", "options", "follows", "said"),
    [
        (0, [], False, 1),
        (60, [], True, 1),
        (60, ["ci.nowait"], False, 1),
        (0, ["ci.wait=60"], True, 1),
        (0, ["ci.wait=1.5", "other"], True, 1),
        (60, ["ci.wait=0"], False, 1),
        (60, ["ci.wait=5", "ci.nowait"], False, 1),
        (60, ["ci.nowait", "ci.wait=5"], True, 1),
        (60, ["ci.wait=soon"], True, 2),
        (0, ["ci.wait"], False, 2),
        (0, ["ci.wait=-1"], False, 2),
        (0, ["ci.wait=nan"], False, 2),
    ],
)
def test_push_options(
    wait: float, options: list[str], follows: bool, said: int, bench: Bench
) -> None:
    bench.option(*options)
    with served(Script([TAKEN])) as server:
        bench.configure(server.url, wait=wait)
        assert len(bench.run()) == said
    assert (len(server.received) == 2) is follows


def test_no_wait_is_for_ever(bench: Bench) -> None:
    bench.option("ci.wait=999999999")
    world = World(bench.folder, bench.environ, bench.said.append)
    assert post_receive.wanted_wait(world, 0.0) == post_receive.LONGEST_WAIT


def test_a_push_option_count_that_is_none(bench: Bench) -> None:
    assert post_receive.options({"GIT_PUSH_OPTION_COUNT": "x"}) == []
    assert post_receive.options({"GIT_PUSH_OPTION_COUNT": "1"}) == [""]


def chained(bench: Bench, text: str, mode: int = 0o755) -> Path:
    path = bench.folder / CHAINED
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_hook_from_before_runs_first_with_the_same_input(bench: Bench) -> None:
    chained(bench, f'#!/bin/sh\ncat > "{bench.folder}/seen"\n')
    assert bench.run(b"old new refs/notes/x\n") == []
    assert (bench.folder / "seen").read_text() == "old new refs/notes/x\n"


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("#!/bin/sh\nexit 3\n", 0o755, f"hookline: {CHAINED} ended with 3"),
        ("#!/no/such/program\n", 0o755, f"hookline: {CHAINED} cannot be run: "),
    ],
)
def test_the_hook_from_before_stops_nothing(text: str, mode: int, told: str, bench: Bench) -> None:
    chained(bench, text, mode)
    with served(Script([TAKEN])) as server:
        bench.configure(server.url)
        first, second = bench.run()
    assert first.startswith(told)
    assert second == "hookline: run 3 of main: http://ci/runs/3"


def test_the_words_of_head_commits(bench: Bench, tmp_path: Path) -> None:
    bare = bare_repository(tmp_path)
    clone = clone_of(bare, tmp_path)
    sha = commit(clone, "Fix größe\n\nbody [skip ci]")
    git(clone, "tag", "-a", "v1", "-m", "tag message")
    git(clone, "push", "-q", "origin", "main", "v1")
    tag = git(clone, "rev-parse", "v1").strip()
    tree = git(clone, "rev-parse", "HEAD^{tree}").strip()
    bench.environ |= {**environment(), "GIT_DIR": str(bare)}
    world = World(bench.folder, bench.environ, bench.said.append)
    expected = ("Ada", "Fix größe\n\nbody [skip ci]")
    assert post_receive.head_of(world, sha) == expected
    assert post_receive.head_of(world, tag) == expected
    for nothing in (ZERO, NEW, tree, "HEAD", "--output=x", ""):
        assert post_receive.head_of(world, nothing) == ("", "")


def test_without_git_there_are_no_words(bench: Bench) -> None:
    bench.environ["PATH"] = str(bench.folder)
    world = World(bench.folder, bench.environ, bench.said.append)
    assert post_receive.head_of(world, NEW) == ("", "")


def test_many_refs_are_told_without_their_words(bench: Bench) -> None:
    world = World(bench.folder, {"PATH": str(bench.folder)}, bench.said.append)
    moved = [{"ref": "refs/heads/x", "before": OLD, "after": NEW} for _ in range(150)]
    told = json.loads(post_receive.body_of(world, moved))["changes"]
    assert len(told) == 150
    assert ["message" in change for change in told] == [True] * 100 + [False] * 50


def test_the_copied_script_runs_alone(tmp_path: Path) -> None:
    copy = tmp_path / "post-receive"
    copy.write_bytes(SOURCE.read_bytes())
    with served(Script([TAKEN])) as server:
        Bench(tmp_path).configure(server.url)
        done = subprocess.run(
            [sys.executable, "-I", str(copy)],
            input=PUSHED,
            env=environment(),
            capture_output=True,
            check=True,
        )
    assert done.stdout == b"hookline: run 3 of main: http://ci/runs/3\n"
    assert done.stderr == b""


def test_a_pusher_who_hung_up_is_no_failure(tmp_path: Path) -> None:
    copy = tmp_path / "post-receive"
    copy.write_bytes(SOURCE.read_bytes())
    reading, writing = os.pipe()
    os.close(reading)
    with served(Script([TAKEN])) as server:
        Bench(tmp_path).configure(server.url)
        done = subprocess.run(
            [sys.executable, "-I", str(copy)],
            input=PUSHED,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def hookline() -> Iterator[tuple[str, MemoryInbox]]:
    """The real receiver behind a real server, and a stream of three lines to follow."""
    inbox = MemoryInbox([a_hook("git")], address="http://ci.example", follow="/follow")

    async def follow(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.path_params['run']}\nlint: success\ndone\n")

    receiver = Receiver(inbox, all_forges())
    app = Starlette(routes=[*receiver.routes(), Route("/follow/{run}", follow)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", inbox
    server.should_exit = True
    thread.join()
    listening.close()


def remote(told: str) -> list[str]:
    """What the pusher saw behind `remote:`."""
    lines = [line for line in told.splitlines() if line.startswith("remote: ")]
    return [line.removeprefix("remote: ").rstrip() for line in lines]


def test_a_real_push(hookline: tuple[str, MemoryInbox], tmp_path: Path) -> None:
    url, inbox = hookline
    bare = bare_repository(tmp_path)
    clone = clone_of(bare, tmp_path)
    install(bare, url, "hook-git", SECRET, wait=60)
    sha = commit(clone, "First")
    assert remote(git(clone, "push", "origin", "main")) == [
        "hookline: run 1 of main: http://ci.example/runs/run-1",
        "run-1",
        "lint: success",
        "done",
    ]
    (event,) = inbox.deliveries[0].events
    assert (event.commit, event.message, event.author) == (sha, "First", "Ada")

    commit(clone, "Second [skip ci]")
    told = remote(git(clone, "push", "origin", "main"))
    assert told == ["hookline: ignored: push of refs/heads/main: its head commit asks to skip CI"]

    commit(clone, "Third")
    git(clone, "tag", "v1")
    pushed = git(clone, "push", "-o", "ci.nowait", "origin", "main", "v1", "main:refs/notes/x")
    assert remote(pushed) == [
        "hookline: run 2 of main: http://ci.example/runs/run-2",
        "hookline: run 3 of tag v1: http://ci.example/runs/run-3",
    ]
    assert remote(git(clone, "push", "origin", ":refs/tags/v1")) == [
        "hookline: ignored: deletion of refs/tags/v1 starts no run"
    ]


def test_a_real_push_stands_when_the_server_is_away(tmp_path: Path) -> None:
    bare = bare_repository(tmp_path)
    clone = clone_of(bare, tmp_path)
    url = f"http://127.0.0.1:{unused_port()}"
    install(bare, url, "hook-git", SECRET)
    sha = commit(clone, "First")
    told = remote(git(clone, "push", "origin", "main"))
    assert told[0].startswith(f"hookline: the server at {url} cannot be reached: ")
    assert told[1] == SORRY
    assert git(bare, "rev-parse", "main").strip() == sha
