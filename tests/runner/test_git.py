"""Mirrors of real repositories: over HTTP, over a folder, against remotes that mean no good."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from runner.git import OLDEST_GIT, Identity, Mirror, check_version
from runner.git_errors import (
    CommandFailed,
    CommitGone,
    FetchFailed,
    FileTooLarge,
    GitError,
    GitUnusable,
    HostilePath,
    HostileRef,
    HostileUrl,
    NotAFile,
    NotARepository,
    PushFailed,
)
from runner.workspace.source import TreeEntry
from tests.support.loopback import LoopbackServer, QuietHandler, serving
from tests.support.repositories import (
    FIRST_MOMENT,
    BareRepository,
    Content,
    GitServer,
    copy_of,
    executable,
    run_git,
    serve_http,
    serve_silence,
    submodule,
    symlink,
)

MAIN = "refs/heads/main"
TOKEN = "t0ken-0123456789"
NOBODY = "1" * 40


@pytest.fixture
def origin(tmp_path: Path) -> BareRepository:
    return BareRepository(tmp_path / "remotes" / "web.git")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serve_http(tmp_path / "remotes") as server:
        yield server


@pytest.fixture
def mirror(tmp_path: Path, origin: BareRepository, server: GitServer) -> Mirror:
    return over_http(tmp_path, server)


def over_http(tmp_path: Path, server: GitServer, timeout: float = 60, **how: str | None) -> Mirror:
    path = tmp_path / "mirrors" / "web.git"
    return Mirror(path, server.url("web.git"), timeout=timeout, allow_http=True, **how)  # type: ignore[arg-type]  # only names are passed on


def over_folder(tmp_path: Path, origin: BareRepository, name: str = "local.git") -> Mirror:
    return Mirror(tmp_path / "mirrors" / name, origin.url, timeout=60)


class TestFetch:
    def test_a_branch(self, mirror: Mirror, origin: BareRepository) -> None:
        first = origin.commit({"a": "1"})
        second = origin.commit({"a": "2"})
        assert mirror.fetch(MAIN, second) == second
        assert mirror.read_file(second, "a", 10) == b"2"
        assert mirror.read_file(first, "a", 10) == b"1"

    def test_from_a_folder(self, tmp_path: Path, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror = over_folder(tmp_path, origin)
        assert mirror.fetch(MAIN, commit) == commit
        assert mirror.url == str(origin.path)

    def test_what_is_there_needs_no_network(
        self, mirror: Mirror, origin: BareRepository, server: GitServer
    ) -> None:
        first = origin.commit({"a": "1"})
        second = origin.commit({"a": "2"})
        mirror.fetch(MAIN, second)
        asked = len(server.requests)
        assert asked > 0
        assert mirror.fetch(MAIN, second) == second
        assert mirror.fetch(MAIN, first) == first
        assert len(server.requests) == asked

    def test_only_what_was_asked_for(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        other = origin.commit({"b": "1"}, branch="other")
        origin.tag("v1", commit)
        mirror.fetch(MAIN, commit)
        refs = run_git("for-each-ref", "--format=%(refname)", at=mirror.path).decode().split()
        assert len(refs) == 1
        assert refs[0].startswith("refs/hookline/heads-main-")
        with pytest.raises(CommitGone, match="is not in the mirror"):
            mirror.commit(other)

    @pytest.mark.parametrize("message", [None, "release"])
    def test_a_tag(self, mirror: Mirror, origin: BareRepository, message: str | None) -> None:
        commit = origin.commit({"a": "1"})
        named = origin.tag("v1", commit, message)
        assert mirror.fetch("refs/tags/v1", named) == commit
        assert mirror.fetch("refs/tags/v1", commit) == commit

    def test_a_tag_of_a_tag(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        outer = origin.tag("outer", origin.tag("inner", commit, "in"), "out")
        assert mirror.fetch("refs/tags/outer", outer) == commit

    def test_a_tag_of_a_file_is_no_commit(self, mirror: Mirror, origin: BareRepository) -> None:
        origin.commit({"a": "1"})
        named = origin.tag("blob", origin.write(b"data"), "not a commit")
        with pytest.raises(CommitGone):
            mirror.fetch("refs/tags/blob", named)

    def test_a_pull_request(self, mirror: Mirror, origin: BareRepository) -> None:
        base = origin.commit({"a": "1"})
        head = origin.commit({"a": "2"}, branch="feature", parent=base)
        origin.point("refs/pull/7/head", head)
        origin.delete("refs/heads/feature")
        assert mirror.fetch("refs/pull/7/head", head) == head

    @pytest.mark.parametrize(
        "name", ["-x", "--upload-pack=touch${IFS}x", "$(id)", "a`id`", "ünïcode", "a;b|c&d", "'\""]
    )
    def test_strange_names(self, mirror: Mirror, origin: BareRepository, name: str) -> None:
        commit = origin.commit({"a": "1"}, branch=name)
        assert mirror.fetch(f"refs/heads/{name}", commit) == commit

    def test_branches_that_other_file_systems_take_for_one(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        commits = {name: origin.commit({"a": name}, branch=name) for name in ("x", "X-", "x-")}
        for name, commit in commits.items():
            assert mirror.fetch(f"refs/heads/{name}", commit) == commit

    def test_sha256(self, tmp_path: Path, server: GitServer) -> None:
        origin = BareRepository(tmp_path / "remotes" / "web.git", "sha256")
        commit = origin.commit({"a": "1"})
        assert len(commit) == 64
        assert over_http(tmp_path, server).fetch(MAIN, commit) == commit


class TestReachability:
    def test_a_commit_of_another_branch(self, mirror: Mirror, origin: BareRepository) -> None:
        base = origin.commit({"a": "1"})
        other = origin.commit({"a": "2"}, branch="other", parent=base)
        mirror.fetch("refs/heads/other", other)
        with pytest.raises(CommitGone, match=f"{other} is not in the history of {MAIN}"):
            mirror.fetch(MAIN, other)

    def test_a_commit_of_a_fork(
        self, tmp_path: Path, mirror: Mirror, origin: BareRepository
    ) -> None:
        origin.commit({"a": "1"})
        evil = copy_of(origin, tmp_path / "fork.git").commit({".ci.yaml": "evil"})
        # The forge keeps a network of forks in one store, and gives out any commit by its id.
        run_git("fetch", "-q", str(tmp_path / "fork.git"), evil, at=origin.path)
        origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
        with pytest.raises(CommitGone):
            mirror.fetch(MAIN, evil)

    def test_a_commit_that_was_pushed_over(self, mirror: Mirror, origin: BareRepository) -> None:
        base = origin.commit({"a": "1"})
        dropped = origin.commit({"a": "2"})
        origin.commit({"a": "3"}, parent=base)
        with pytest.raises(CommitGone, match="pushed over"):
            mirror.fetch(MAIN, dropped)

    def test_what_was_seen_before_it_was_pushed_over(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        base = origin.commit({"a": "1"})
        dropped = origin.commit({"a": "2"})
        assert mirror.fetch(MAIN, dropped) == dropped
        for text in ("3", "4"):
            present = origin.commit({"a": text}, parent=base)
            assert mirror.fetch(MAIN, present) == present
        run_git("gc", "--quiet", "--prune=now", at=mirror.path)
        assert mirror.fetch(MAIN, dropped) == dropped
        assert mirror.read_file(dropped, "a", 10) == b"2"

    def test_a_branch_that_goes_back_and_forth(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        base = origin.commit({"a": "1"})
        one = origin.commit({"a": "2"}, parent=base)
        assert mirror.fetch(MAIN, one) == one
        two = origin.commit({"a": "3"}, parent=base)
        assert mirror.fetch(MAIN, two) == two
        origin.point(MAIN, one)
        three = origin.commit({"a": "4"})
        assert mirror.fetch(MAIN, three) == three
        four = origin.commit({"a": "5"}, parent=base)
        assert mirror.fetch(MAIN, four) == four
        assert [mirror.fetch(MAIN, each) for each in (one, two, three)] == [one, two, three]

    def test_a_branch_that_was_deleted(self, mirror: Mirror, origin: BareRepository) -> None:
        seen = origin.commit({"a": "1"})
        mirror.fetch(MAIN, seen)
        unseen = origin.commit({"a": "2"})
        origin.delete(MAIN)
        with pytest.raises(CommitGone, match=f"there is no {MAIN}"):
            mirror.fetch(MAIN, unseen)
        assert mirror.fetch(MAIN, seen) == seen

    def test_a_crash_between_fetching_and_moving_on(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        base = origin.commit({"a": "1"})
        seen = origin.commit({"a": "2"})
        mirror.fetch(MAIN, seen)
        own = run_git("for-each-ref", "--format=%(refname)", at=mirror.path).decode().strip()
        run_git("update-ref", own.replace("/tip", "/next"), seen, at=mirror.path)
        run_git("update-ref", "-d", own, at=mirror.path)
        present = origin.commit({"a": "3"}, parent=base)
        assert mirror.fetch(MAIN, present) == present
        assert mirror.fetch(MAIN, seen) == seen


class TestTheMirrorItself:
    def test_it_is_made_once(self, mirror: Mirror, origin: BareRepository) -> None:
        mirror.fetch(MAIN, origin.commit({"a": "1"}))
        (mirror.path / "witness").touch()
        mirror.fetch(MAIN, origin.commit({"a": "2"}))
        assert (mirror.path / "witness").exists()

    @pytest.mark.parametrize(
        "left", [(), ("HEAD",), ("HEAD", "config"), ("HEAD", "objects/"), ("objects/", "refs/")]
    )
    def test_half_made_it_is_made_anew(
        self, mirror: Mirror, origin: BareRepository, left: tuple[str, ...]
    ) -> None:
        for leftover in (mirror.path, mirror.path.with_name("web.git.new")):
            leftover.mkdir(parents=True)
            for name in left:
                if name.endswith("/"):
                    (leftover / name).mkdir()
                else:
                    (leftover / name).touch()
        commit = origin.commit({"a": "1"})
        assert mirror.fetch(MAIN, commit) == commit
        names = {entry.name for entry in mirror.path.parent.iterdir()}
        assert names == {"web.git", "web.git.lock"}

    def test_a_crash_while_it_was_replaced(self, mirror: Mirror, origin: BareRepository) -> None:
        mirror.path.with_name("web.git.old").mkdir(parents=True)
        commit = origin.commit({"a": "1"})
        assert mirror.fetch(MAIN, commit) == commit
        assert not mirror.path.with_name("web.git.old").exists()

    def test_it_is_made_anew_for_another_remote(
        self, tmp_path: Path, mirror: Mirror, origin: BareRepository
    ) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        fork = copy_of(origin, tmp_path / "fork.git")
        moved = Mirror(mirror.path, fork.url, timeout=60)
        theirs = fork.commit({"a": "2"})
        assert moved.fetch(MAIN, theirs) == theirs
        with pytest.raises(CommitGone):
            mirror.fetch(MAIN, theirs)

    def test_it_replaces_nothing_that_is_not_its_own(
        self, tmp_path: Path, origin: BareRepository
    ) -> None:
        commit = origin.commit({"a": "1"})
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "thesis.txt").write_text("years of work")
        for path in (tmp_path / "home", copy_of(origin, tmp_path / "precious.git").path):
            before = sorted(path.rglob("*"))
            with pytest.raises(NotARepository, match="is no mirror that Hookline made"):
                Mirror(path, origin.url).fetch(MAIN, commit)
            assert sorted(path.rglob("*")) == before

    def test_lock_files_of_a_killed_git_are_in_nobodys_way(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        mirror.fetch(MAIN, origin.commit({"a": "1"}))
        own = run_git("for-each-ref", "--format=%(refname)", at=mirror.path).decode().strip()
        leftovers = [
            mirror.path / f"{own}.lock",
            mirror.path / "packed-refs.lock",
            mirror.path / "objects" / "pack" / "tmp_pack_XXXXXX",
        ]
        for leftover in leftovers:
            leftover.touch()
        quarantine = mirror.path / "objects" / "tmp_objdir-incoming-XXXXXX"
        quarantine.mkdir()
        commit = origin.commit({"a": "2"})
        assert mirror.fetch(MAIN, commit) == commit
        assert not any(leftover.exists() for leftover in [*leftovers, quarantine])

    def test_its_packs_are_put_together(self, tmp_path: Path, origin: BareRepository) -> None:
        mirror = Mirror(tmp_path / "m", origin.url, most_packs=3)
        commits = []
        for number in range(6):
            commits.append(origin.commit({"a": str(number)}))
            mirror.fetch(MAIN, commits[-1])
            assert 1 <= len(list(mirror.path.glob("objects/pack/*.pack"))) <= 3
        dropped, base = commits[-1], commits[0]
        for number in range(5):
            mirror.fetch(MAIN, origin.commit({"b": str(number)}, parent=base))
        assert [mirror.fetch(MAIN, commit) for commit in commits] == commits
        assert mirror.read_file(dropped, "a", 10) == b"5"

    def test_packs_that_cannot_be_put_together_are_no_reason_to_fail(
        self, tmp_path: Path, origin: BareRepository
    ) -> None:
        mirror = Mirror(tmp_path / "m", origin.url, most_packs=0)
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        (mirror.path / "objects" / "pack" / "pack-broken.pack").write_bytes(b"PACK")
        (mirror.path / "objects" / "pack" / "pack-broken.idx").write_bytes(b"")
        second = origin.commit({"a": "2"})
        assert mirror.fetch(MAIN, second) == second

    def test_many_threads(self, mirror: Mirror, origin: BareRepository) -> None:
        branches = [f"b{number}" for number in range(6)]
        commits = [origin.commit({"a": name}, branch=name) for name in branches]
        refs = [f"refs/heads/{name}" for name in branches]
        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(mirror.fetch, refs * 2, commits * 2)) == commits * 2

    def test_many_processes(self, tmp_path: Path, origin: BareRepository) -> None:
        commits = [origin.commit({"a": str(number)}, branch=str(number)) for number in range(3)]
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(
                target=fetch_elsewhere,
                args=(tmp_path / "m.git", origin.url, f"refs/heads/{number}", commit),
            )
            for number, commit in enumerate(commits)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        for commit in commits:
            assert Mirror(tmp_path / "m.git", origin.url).commit(commit).id == commit

    def test_one_waits_for_the_other(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        done = threading.Event()

        def fetch() -> None:
            mirror.fetch(MAIN, commit)
            done.set()

        with mirror._locked():
            thread = threading.Thread(target=fetch)
            thread.start()
            assert not done.wait(0.3)
        thread.join()
        assert done.is_set()


def fetch_elsewhere(path: Path, url: str, ref: str, commit: str) -> None:
    """Fetch in a process of its own."""
    assert Mirror(path, url, timeout=60).fetch(ref, commit) == commit


class TestRemotesThatFail:
    def test_nobody_is_there(self, tmp_path: Path) -> None:
        with LoopbackServer(QuietHandler) as closed:
            url = f"{closed.url}/web.git"
        with pytest.raises(FetchFailed, match="cannot fetch") as caught:
            Mirror(tmp_path / "m", url, allow_http=True).fetch(MAIN, NOBODY)
        assert caught.value.retryable

    @pytest.mark.parametrize(
        ("code", "retryable"),
        [
            *[(code, True) for code in (408, 429, 500, 502, 503)],
            *[(code, False) for code in (301, 302, 403, 404, 410)],
        ],
    )
    def test_answers(
        self,
        mirror: Mirror,
        origin: BareRepository,
        server: GitServer,
        code: int,
        retryable: bool,
    ) -> None:
        commit = origin.commit({"a": "1"})
        server.refusals += [(code, "no")] * 4
        with pytest.raises(FetchFailed) as caught:
            mirror.fetch(MAIN, commit)
        assert caught.value.retryable is retryable
        server.refusals.clear()
        assert mirror.fetch(MAIN, commit) == commit

    def test_one_that_never_answers(self, tmp_path: Path) -> None:
        with serve_silence() as silent:
            mirror = Mirror(tmp_path / "m", silent.url, timeout=1.0, allow_http=True)
            with pytest.raises(FetchFailed, match="within 1 seconds") as caught:
                mirror.fetch(MAIN, NOBODY)
            assert caught.value.retryable
            # It hears the end of the helper that git had started, not only of git.
            assert silent.left.wait(30)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FetchFailed, match="does not appear to be a git repository") as caught:
            Mirror(tmp_path / "m", str(tmp_path / "nothing")).fetch(MAIN, NOBODY)
        assert not caught.value.retryable

    def test_objects_that_are_unsound_are_refused(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        blob = bytes.fromhex(origin.write(b"[core]\nfsmonitor = id\n"))
        inner = bytes.fromhex(origin.write(b"100644 config\0" + blob, "tree"))
        tree = origin.write(b"40000 .git\0" + inner, "tree")
        commit = origin.commit_tree(tree, "main", "hasDotgit")
        with pytest.raises(FetchFailed, match="hasDotgit") as caught:
            mirror.fetch(MAIN, commit)
        assert not caught.value.retryable
        with pytest.raises(CommitGone):
            mirror.tree(commit)

    @pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"../../x", b".GIT", b"git~1"])
    def test_trees_that_lead_elsewhere_are_refused(
        self, mirror: Mirror, origin: BareRepository, name: bytes
    ) -> None:
        blob = bytes.fromhex(origin.write(b"evil"))
        tree = origin.write(b"100644 " + name + b"\0" + blob, "tree")
        commit = origin.commit_tree(tree, "main", "leads elsewhere")
        with pytest.raises(FetchFailed, match="fsck error"):
            mirror.fetch(MAIN, commit)

    def test_a_gitmodules_file_that_runs_things_is_refused(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        text = '[submodule "../../x"]\n\tpath = x\n\turl = --upload-pack=id\n'
        commit = origin.commit({".gitmodules": text})
        with pytest.raises(FetchFailed, match=r"gitmodules"):
            mirror.fetch(MAIN, commit)

    def test_alternates_of_a_remote_are_not_followed(self, tmp_path: Path) -> None:
        secret = BareRepository(tmp_path / "secret.git")
        hidden = secret.commit({"key": "private"})
        asked: list[str] = []
        pages = {
            "/web.git/info/refs": f"{hidden}\t{MAIN}\n",
            "/web.git/HEAD": f"ref: {MAIN}\n",
        }

        class Dumb(QuietHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                asked.append(path)
                body = pages.get(path)
                code = 404 if body is None else 200
                self.answer(code, {"Content-Type": "text/plain"}, (body or "").encode())

        server = LoopbackServer(Dumb)
        elsewhere = f"{server.url}/elsewhere/objects\n"
        pages["/web.git/objects/info/http-alternates"] = elsewhere
        with serving(server):
            mirror = Mirror(tmp_path / "m", f"{server.url}/web.git", allow_http=True, timeout=30)
            with pytest.raises(FetchFailed):
                mirror.fetch(MAIN, hidden)
        assert "/web.git/info/refs" in asked
        assert not [path for path in asked if path.startswith("/elsewhere")]

    def test_a_mirror_holds_all_it_needs(self, tmp_path: Path, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        borrower = copy_of(origin, tmp_path / "borrower.git")
        for pack in (borrower.path / "objects").glob("??"):
            for loose in pack.iterdir():
                loose.unlink()
        alternates = borrower.path / "objects" / "info" / "alternates"
        alternates.write_text(f"{origin.path}/objects\n")
        mirror = over_folder(tmp_path, borrower)
        mirror.fetch(MAIN, commit)
        assert not (mirror.path / "objects" / "info" / "alternates").exists()
        origin.path.rename(tmp_path / "gone")
        assert mirror.read_file(commit, "a", 10) == b"1"


class TestTokens:
    @pytest.mark.parametrize("username", ["x-access-token", "oauth2", None])
    def test_one_is_sent(
        self, tmp_path: Path, origin: BareRepository, username: str | None
    ) -> None:
        commit = origin.commit({"a": "1"})
        with serve_http(tmp_path / "remotes", token=TOKEN, username=username) as server:
            mirror = over_http(tmp_path, server, token=TOKEN, username=username)
            assert mirror.fetch(MAIN, commit) == commit
        kept = b"".join(path.read_bytes() for path in mirror.path.rglob("*") if path.is_file())
        assert TOKEN.encode() not in kept

    @pytest.mark.parametrize("token", [None, "wrong"])
    def test_without_it_there_is_nothing(
        self, tmp_path: Path, origin: BareRepository, token: str | None
    ) -> None:
        commit = origin.commit({"a": "1"})
        with serve_http(tmp_path / "remotes", token=TOKEN) as server:
            with pytest.raises(FetchFailed) as caught:
                over_http(tmp_path, server, token=token).fetch(MAIN, commit)
            assert not caught.value.retryable

    @pytest.mark.parametrize("username", ["x-access-token", None])
    def test_a_server_that_repeats_it_does_not_get_it_into_an_error(
        self, tmp_path: Path, username: str | None
    ) -> None:
        class Echo(QuietHandler):
            def do_GET(self) -> None:
                sent = f"you said {self.headers['Authorization']} that is {TOKEN}\n"
                self.answer(403, {"Content-Type": "text/plain"}, sent.encode())

        server = LoopbackServer(Echo)
        url = f"{server.url}/web.git"
        mirror = Mirror(tmp_path / "m", url, token=TOKEN, username=username, allow_http=True)
        with serving(server), pytest.raises(FetchFailed, match=r"you said .*\*\*\*") as caught:
            mirror.fetch(MAIN, NOBODY)
        assert TOKEN not in str(caught.value)
        assert "eC1hY2Nlc3" not in str(caught.value)

    def test_it_is_on_no_command_line(self, tmp_path: Path) -> None:
        with serve_silence() as silent:
            mirror = Mirror(tmp_path / "m", silent.url, token=TOKEN, timeout=30, allow_http=True)
            thread = threading.Thread(target=lambda: ignore(mirror), daemon=True)
            thread.start()
            lines = ""
            while "remote-http" not in lines:
                lines = command_lines_below(os.getpid())
            assert TOKEN not in lines
            for pid, line in processes_below(os.getpid()):
                # The end of one may be the end of the next.
                with suppress(ProcessLookupError):
                    if "remote-http" in line:
                        os.kill(pid, signal.SIGTERM)
            thread.join()

    def test_it_is_not_sent_after_a_redirect(self, tmp_path: Path) -> None:
        heard: list[str] = []

        class Elsewhere(QuietHandler):
            def do_GET(self) -> None:
                heard.append(self.path)
                self.answer(404, {}, b"")

        elsewhere = LoopbackServer(Elsewhere)

        class Redirect(QuietHandler):
            def do_GET(self) -> None:
                self.answer(302, {"Location": elsewhere.url + self.path}, b"")

        server = LoopbackServer(Redirect)
        mirror = Mirror(tmp_path / "m", f"{server.url}/web.git", token=TOKEN, allow_http=True)
        with serving(server), serving(elsewhere), pytest.raises(FetchFailed) as caught:
            mirror.fetch(MAIN, NOBODY)
        assert heard == []
        assert not caught.value.retryable

    @pytest.mark.parametrize("url", ["/srv/git/web.git", "ssh://git@forge.example/web.git"])
    def test_it_goes_with_http_only(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(HostileUrl, match="a token cannot be sent"):
            Mirror(tmp_path / "m", url, token=TOKEN)

    @pytest.mark.parametrize("token", ["", "a\nX-Evil: 1", "a\r", "a\0b"])
    def test_it_is_one_line(self, tmp_path: Path, token: str) -> None:
        with pytest.raises(HostileUrl, match="empty or holds a line break") as caught:
            Mirror(tmp_path / "m", "https://forge.example/web.git", token=token)
        assert "Evil" not in str(caught.value)


def ignore(mirror: Mirror) -> None:
    """Fetch, and say nothing of how it went."""
    try:
        mirror.fetch(MAIN, NOBODY)
    except GitError:
        return


def processes_below(root: int) -> list[tuple[int, str]]:
    """Return the processes that one has started, and theirs, with their command lines."""
    shown = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in shown.splitlines() if len(line.split(None, 2)) == 3]
    family = {root}
    for _ in range(5):
        family |= {int(pid) for pid, parent, _ in rows if int(parent) in family}
    return [(int(pid), args) for pid, _, args in rows if int(pid) in family - {root}]


def command_lines_below(root: int) -> str:
    return "\n".join(args for _, args in processes_below(root))


class TestEnvironment:
    def test_nothing_of_the_servers_reaches_git(
        self,
        tmp_path: Path,
        origin: BareRepository,
        mirror: Mirror,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        commit = origin.commit({"a": "1"})
        config, trace = tmp_path / "config", tmp_path / "trace"
        templates = tmp_path / "templates"
        (templates / "hooks").mkdir(parents=True)
        witness = tmp_path / "witness"
        hook = templates / "hooks" / "reference-transaction"
        hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
        hook.chmod(0o755)
        config.write_text(
            f"[init]\n\ttemplateDir = {templates}\n[core]\n\thooksPath = {templates}/hooks\n"
            f'[url "{tmp_path}/nowhere"]\n\tinsteadOf = http://127.0.0.1\n'
        )
        hostile = {
            "GIT_TEMPLATE_DIR": str(templates),
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_CONFIG_SYSTEM": str(config),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(templates / "hooks"),
            "GIT_DIR": str(tmp_path / "elsewhere"),
            "GIT_OBJECT_DIRECTORY": str(tmp_path / "elsewhere"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(origin.path / "objects"),
            "GIT_NAMESPACE": "other",
            "GIT_TRACE": str(trace),
            "GIT_TRACE2_ENV_VARS": "HOOKLINE_SECRET",
            "GIT_TRACE2": str(trace),
            "GIT_EXEC_PATH": str(tmp_path),
            "GIT_PROXY_COMMAND": f"touch {witness}",
            "GIT_EXTERNAL_DIFF": f"touch {witness}",
            "HOOKLINE_SECRET": "hunter2",
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        (tmp_path / ".gitconfig").write_text(config.read_text())
        for name, value in hostile.items():
            monkeypatch.setenv(name, value)
        assert mirror.fetch(MAIN, commit) == commit
        monkeypatch.undo()
        assert mirror.read_file(commit, "a", 10) == b"1"
        assert not (mirror.path / "hooks").exists()
        assert not witness.exists()
        assert not trace.exists()

    def test_hooks_in_a_mirror_are_not_run(
        self, tmp_path: Path, mirror: Mirror, origin: BareRepository
    ) -> None:
        mirror.fetch(MAIN, origin.commit({"a": "1"}))
        (mirror.path / "hooks").mkdir()
        hook = mirror.path / "hooks" / "reference-transaction"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/witness\n")
        hook.chmod(0o755)
        mirror.fetch(MAIN, origin.commit({"a": "2"}))
        assert not (tmp_path / "witness").exists()

    def test_variables_in_a_path_stay_as_they_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOOKLINE_SECRET", "hunter2")
        origin = BareRepository(tmp_path / "$HOOKLINE_SECRET")
        commit = origin.commit({"a": "1"})
        mirror = Mirror(tmp_path / "mirrors" / "${HOOKLINE_SECRET}", origin.url)
        assert mirror.fetch(MAIN, commit) == commit
        assert (tmp_path / "mirrors" / "${HOOKLINE_SECRET}" / "HEAD").exists()

    def test_replacements_are_not_believed(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "honest"})
        mirror.fetch(MAIN, commit)
        blob = next(mirror.tree(commit)).oid
        evil = run_git("hash-object", "-w", "--stdin", at=mirror.path, listen_to=b"evil").decode()
        run_git("replace", blob, evil.strip(), at=mirror.path)
        assert mirror.read_file(commit, "a", 10) == b"honest"


class TestReading:
    def test_a_file(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({".ci.yaml": "steps: {}\n", "dir/run.sh": executable("echo\0")})
        mirror.fetch(MAIN, commit)
        assert mirror.read_file(commit, ".ci.yaml", 10) == b"steps: {}\n"
        assert mirror.read_file(commit, "dir/run.sh", 10) == b"echo\0"
        assert mirror.read_file(commit, "missing", 10) is None
        assert mirror.read_file(commit, "dir/missing", 10) is None
        assert mirror.read_file(commit, ".ci.yaml/below", 10) is None

    def test_names_are_no_patterns(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1", "[b]": "2", ":(top)a": "3", "-x": "4"})
        mirror.fetch(MAIN, commit)
        assert mirror.read_file(commit, "*", 10) is None
        assert mirror.read_file(commit, ":/a", 10) is None
        assert mirror.read_file(commit, "[b]", 10) == b"2"
        assert mirror.read_file(commit, ":(top)a", 10) == b"3"
        assert mirror.read_file(commit, "-x", 10) == b"4"

    @pytest.mark.parametrize("kind", ["symlink", "submodule", "folder"])
    def test_what_is_no_file(self, mirror: Mirror, origin: BareRepository, kind: str) -> None:
        files: dict[str, dict[str, Content]] = {
            "symlink": {".ci.yaml": symlink("/etc/passwd")},
            "submodule": {".ci.yaml": submodule(NOBODY)},
            "folder": {".ci.yaml/x": "1"},
        }
        commit = origin.commit(files[kind])
        mirror.fetch(MAIN, commit)
        with pytest.raises(NotAFile, match=r"\.ci\.yaml at .* is no regular file"):
            mirror.read_file(commit, ".ci.yaml", 1000)

    def test_a_symlink_on_the_way_is_not_followed(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        commit = origin.commit({"real/x": "1", "link": symlink("real")})
        mirror.fetch(MAIN, commit)
        assert mirror.read_file(commit, "link/x", 10) is None

    def test_a_file_over_the_limit(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({".ci.yaml": "x" * 11})
        mirror.fetch(MAIN, commit)
        assert mirror.read_file(commit, ".ci.yaml", 11) == b"x" * 11
        with pytest.raises(FileTooLarge, match=r"\.ci\.yaml has 11 bytes .*up to 10") as caught:
            mirror.read_file(commit, ".ci.yaml", 10)
        assert (caught.value.size, caught.value.limit) == (11, 10)

    def test_names_that_are_none(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        with pytest.raises(HostilePath):
            mirror.read_file(commit, "../a", 10)
        with pytest.raises(HostileRef):
            mirror.read_file("--output=x", "a", 10)
        with pytest.raises(HostileRef):
            mirror.fetch("--upload-pack=x", commit)
        with pytest.raises(HostileRef):
            mirror.fetch(MAIN, "HEAD")
        with pytest.raises(HostileRef):
            mirror.changed_paths("--output=x", commit)
        with pytest.raises(HostileRef):
            list(mirror.blobs(["--batch-all-objects"]))

    def test_before_anything_was_fetched(self, mirror: Mirror) -> None:
        with pytest.raises(CommitGone, match="fetch it first"):
            mirror.read_file(NOBODY, "a", 10)
        with pytest.raises(CommandFailed, match="not a git repository"):
            list(mirror.blobs([NOBODY]))

    def test_a_tree(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit(
            {
                "b/run.sh": executable("echo"),
                "a": "123",
                "link": symlink("a"),
                "vendor": submodule(NOBODY),
                "new\nline": "",
                "ä": "1",
            }
        )
        mirror.fetch(MAIN, commit)
        found = {entry.path: (entry.mode, entry.size) for entry in mirror.tree(commit)}
        assert found == {
            "a": (0o100644, 3),
            "b/run.sh": (0o100755, 4),
            "link": (0o120000, 1),
            "vendor": (0o160000, None),
            "new\nline": (0o100644, 0),
            "ä": (0o100644, 1),
        }
        assert [entry.path for entry in mirror.tree(commit)][:2] == ["a", "b/run.sh"]

    def test_an_empty_tree(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({})
        mirror.fetch(MAIN, commit)
        assert list(mirror.tree(commit)) == []

    def test_a_name_that_is_not_utf8(self, mirror: Mirror, origin: BareRepository) -> None:
        blob = bytes.fromhex(origin.write(b"1"))
        tree = origin.write(b"100644 caf\xe9\0" + blob, "tree")
        commit = origin.commit_tree(tree, "main", "latin")
        mirror.fetch(MAIN, commit)
        with pytest.raises(HostilePath, match=r"caf\\xe9"):
            list(mirror.tree(commit))

    def test_a_tree_can_be_left_in_the_middle(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({f"file-{number:05}" + "x" * 200: "" for number in range(2000)})
        mirror.fetch(MAIN, commit)
        entries = mirror.tree(commit)
        assert isinstance(next(entries), TreeEntry)
        del entries
        assert len(list(mirror.tree(commit))) == 2000

    def test_blobs(self, mirror: Mirror, origin: BareRepository) -> None:
        texts = {f"f{number}": f"{number}\n" * (number * 50) for number in range(300)}
        big = bytes(range(256)) * 4000
        commit = origin.commit(dict[str, Content](**texts, big=big))
        mirror.fetch(MAIN, commit)
        entries = {entry.oid: entry for entry in mirror.tree(commit)}
        wanted = [*entries, *entries]
        got = list(mirror.blobs(iter(wanted)))
        assert [oid for oid, _ in got] == wanted
        for oid, data in got:
            path = entries[oid].path
            assert data == (texts[path].encode() if path in texts else big)
        assert list(mirror.blobs([])) == []

    def test_blobs_are_asked_for_as_they_are_read(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        oid = next(mirror.tree(commit)).oid
        asked = 0

        def endless() -> Iterator[str]:
            nonlocal asked
            while True:
                asked += 1
                yield oid

        blobs = mirror.blobs(endless())
        assert next(blobs) == (oid, b"1")
        assert asked <= 50
        blobs.close()  # type: ignore[attr-defined]  # a generator is what it is

    def test_what_is_no_blob(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        with pytest.raises(NotAFile, match="no file but a commit"):
            list(mirror.blobs([commit]))
        with pytest.raises(CommandFailed, match=f"object {NOBODY} is not in the mirror"):
            list(mirror.blobs([NOBODY]))

    def test_a_blob_that_is_broken(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": random.Random(1).randbytes(5000)})
        mirror.fetch(MAIN, commit)
        oid = next(mirror.tree(commit)).oid
        for pack in mirror.path.glob("objects/pack/*.pack"):
            pack.chmod(0o644)
            data = pack.read_bytes()
            pack.write_bytes(data[:2000] + bytes(100) + data[2100:])
        with pytest.raises(CommandFailed, match="git cat-file failed"):
            list(mirror.blobs([oid]))

    def test_a_commit(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"}, message="subject\n\nbody ä\n")
        mirror.fetch(MAIN, commit)
        info = mirror.commit(commit)
        assert (info.id, info.author) == (commit, "Ada")
        assert (info.message, info.committed_at) == ("subject\n\nbody ä", FIRST_MOMENT + 1.0)

    def test_a_commit_in_another_encoding(self, mirror: Mirror, origin: BareRepository) -> None:
        tree = origin.git("rev-parse", f"{origin.commit({'a': '1'})}^{{tree}}")
        ada = "Ada <a@example.com> 1700000000 +0000"
        head = f"tree {tree}\nauthor {ada}\ncommitter {ada}\nencoding ISO-8859-1\n\n"
        commit = origin.write(head.encode() + b"caf\xe9\n", "commit")
        origin.point(MAIN, commit)
        mirror.fetch(MAIN, commit)
        assert mirror.commit(commit).message == "café"


class TestChangedPaths:
    def test_of_a_push(self, mirror: Mirror, origin: BareRepository) -> None:
        before = origin.commit({"same": "1", "changed": "1", "gone": "1", "ä b": "1"})
        origin.commit({"changed": "2", "gone": None})
        after = origin.commit({"new/er": "1", "ä b": executable("1")})
        mirror.fetch(MAIN, after)
        assert mirror.changed_paths(before, after) == ("changed", "gone", "new/er", "ä b")
        assert mirror.changed_paths(after, after) == ()

    def test_a_move_is_two_changes(self, mirror: Mirror, origin: BareRepository) -> None:
        before = origin.commit({"old": "text\n" * 100})
        after = origin.commit({"old": None, "new": "text\n" * 100})
        mirror.fetch(MAIN, after)
        assert mirror.changed_paths(before, after) == ("new", "old")

    def test_of_a_pull_request_is_what_its_branch_did(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        fork = origin.commit({"a": "1"})
        head = origin.commit({"b": "1"}, branch="feature", parent=fork)
        base = origin.commit({"a": "2"})
        mirror.fetch("refs/heads/feature", head)
        assert mirror.changed_paths(base, head) is None
        mirror.fetch(MAIN, base)
        assert mirror.changed_paths(base, head) == ("b",)

    def test_of_histories_that_never_met(self, mirror: Mirror, origin: BareRepository) -> None:
        one = origin.commit({"a": "1"})
        two = origin.commit({"a": "2"}, branch="other", parent="")
        mirror.fetch(MAIN, one)
        mirror.fetch("refs/heads/other", two)
        assert mirror.changed_paths(one, two) is None

    def test_a_submodule_that_moved(self, mirror: Mirror, origin: BareRepository) -> None:
        before = origin.commit({"vendor": submodule(NOBODY)})
        after = origin.commit({"vendor": submodule("2" * 40)})
        mirror.fetch(MAIN, after)
        assert mirror.changed_paths(before, after) == ("vendor",)

    def test_a_name_that_is_not_utf8_does_no_harm(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        before = origin.commit({})
        blob = bytes.fromhex(origin.write(b"1"))
        tree = origin.write(b"100644 caf\xe9\0" + blob, "tree")
        after = origin.commit_tree(tree, "main", "latin", parent=before)
        mirror.fetch(MAIN, after)
        assert mirror.changed_paths(before, after) == ("caf\ufffd",)


class TestNotes:
    def test_one_is_added_and_replaced(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        mirror.add_note(commit, "run 1: success\n")
        assert origin.note(commit) == "run 1: success"
        mirror.add_note(commit, "run 2: failure\n# not a comment")
        assert origin.note(commit) == "run 2: failure\n# not a comment"
        log = origin.git("log", "--format=%an <%ae> %cn <%ce>", "refs/notes/hookline")
        assert set(log.splitlines()) == {" ".join(["Hookline <hookline@localhost>"] * 2)}

    def test_another_identity_and_place(self, tmp_path: Path, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror = Mirror(tmp_path / "m", origin.url, identity=Identity("CI", "ci@example.com"))
        mirror.fetch(MAIN, commit)
        mirror.add_note(commit, "text", ref="refs/notes/ci")
        assert origin.note(commit, "refs/notes/ci") == "text"
        assert origin.git("log", "--format=%an <%ae>", "refs/notes/ci") == "CI <ci@example.com>"

    def test_the_notes_of_others_stay(self, tmp_path: Path, origin: BareRepository) -> None:
        commits = [origin.commit({"a": str(number)}) for number in range(4)]
        mirrors = [over_folder(tmp_path, origin, f"m{number}.git") for number in range(4)]
        for mirror, commit in zip(mirrors, commits, strict=True):
            mirror.fetch(MAIN, commit)

        def add(number: int) -> None:
            mirrors[number].add_note(commits[number], f"note {number}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(4)))
        assert [origin.note(commit) for commit in commits] == [f"note {n}" for n in range(4)]

    def test_notes_that_were_deleted_at_the_remote(
        self, mirror: Mirror, origin: BareRepository
    ) -> None:
        first = origin.commit({"a": "1"})
        second = origin.commit({"a": "2"})
        mirror.fetch(MAIN, second)
        mirror.add_note(first, "old")
        origin.delete("refs/notes/hookline")
        mirror.add_note(second, "new")
        assert origin.note(second) == "new"
        assert first not in origin.git("notes", "--ref=refs/notes/hookline", "list")

    def test_a_remote_that_always_moves(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        hook = origin.path / "hooks" / "update"
        hook.parent.mkdir()
        hook.write_text("#!/bin/sh\necho 'cannot lock ref' >&2\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(PushFailed, match="others wrote refs/notes/hookline") as caught:
            mirror.add_note(commit, "text")
        assert caught.value.retryable

    def test_a_remote_that_refuses(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        mirror.fetch(MAIN, commit)
        hook = origin.path / "hooks" / "pre-receive"
        hook.parent.mkdir()
        hook.write_text("#!/bin/sh\necho 'notes are not welcome' >&2\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(PushFailed, match="notes are not welcome") as caught:
            mirror.add_note(commit, "text")
        assert not caught.value.retryable

    def test_a_remote_that_falls_silent(self, tmp_path: Path, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        hook = origin.path / "hooks" / "pre-receive"
        hook.parent.mkdir()
        hook.write_text("#!/bin/sh\nexec sleep 300\n")
        hook.chmod(0o755)
        mirror = Mirror(tmp_path / "m", origin.url, timeout=3)
        mirror.fetch(MAIN, commit)
        with pytest.raises(PushFailed, match="within 3 seconds") as caught:
            mirror.add_note(commit, "text")
        assert caught.value.retryable

    def test_what_cannot_have_one(self, mirror: Mirror, origin: BareRepository) -> None:
        commit = origin.commit({"a": "1"})
        with pytest.raises(CommitGone):
            mirror.add_note(commit, "text")
        mirror.fetch(MAIN, commit)
        with pytest.raises(HostileRef):
            mirror.add_note(commit, "text", ref="refs/heads/main")
        with pytest.raises(HostileRef):
            mirror.add_note("-F/etc/passwd", "text")


class TestTheGitThatIsThere:
    @pytest.mark.parametrize(
        ("text", "version"),
        [
            ("git version 2.39.5\n", (2, 39)),
            ("git version 2.32.0\n", (2, 32)),
            ("git version 2.51.2 (Apple Git-154)\n", (2, 51)),
            ("git version 3.0.rc1\n", (3, 0)),
        ],
    )
    def test_new_enough(self, text: str, version: tuple[int, int]) -> None:
        assert check_version(text) == version

    @pytest.mark.parametrize("text", ["git version 2.29.2\n", "git version 2.31.9", "", "what?"])
    def test_too_old(self, text: str) -> None:
        with pytest.raises(GitUnusable, match=r"too old \(install git 2\.32 or newer\)"):
            check_version(text)
        assert OLDEST_GIT == (2, 32)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [("#!/bin/sh\necho git version 2.20.1\n", "too old"), (None, "git cannot be run")],
    )
    def test_it_says_so_before_anything_is_done(
        self, tmp_path: Path, script: str | None, reason: str
    ) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        if script is not None:
            (folder / "git").write_text(script)
            (folder / "git").chmod(0o755)
        code = (
            "import sys; from pathlib import Path; from runner.git import Mirror\n"
            f"Mirror(Path({str(tmp_path / 'm')!r}), '/x/y').fetch('refs/heads/main', '1' * 40)"
        )
        finished = run_python(code, {**os.environ, "PATH": str(folder)})
        assert "GitUnusable" in finished.stderr
        assert reason in finished.stderr

    def test_whoever_does_not_use_it_does_not_wait_for_it(self) -> None:
        code = "import sys, runner.git; print('git' in sys.modules)"
        assert run_python(code, dict(os.environ)).stdout == "False\n"


def run_python(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
