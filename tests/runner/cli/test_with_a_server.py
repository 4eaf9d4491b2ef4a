"""The commands against a real `hookline serve`, from a hook to a second round."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runner.cli.connection import LOCAL_TOKEN
from runner.cli.main import hookline
from runner.cli.serve import told as environment_of
from runner.client import Client, Unreachable
from tests.support.repositories import run_git, work_tree

ROOT = Path(__file__).parents[3]
FILE = """
steps:
  hello:
    run: echo "hello $CI_BRANCH" && echo answer=42 >> "$CI_OUTPUT"
    outputs: [answer]
  fails: {needs: hello, run: echo no; exit 1}
  last: {needs: fails, run: 'true'}
"""


class Served:
    """A running server, and commands for it."""

    def __init__(
        self, process: subprocess.Popen[bytes], url: str, environ: Mapping[str, str]
    ) -> None:
        self.process = process
        self.url = url
        self.environ = environ

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(hookline, list(words), env=dict(self.environ))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = {
        "HOME": str(folder),
        "HOOKLINE_DATA": str(folder / "data"),
        "HOOKLINE_URL": url,
        **of_this_process(),
    }
    command = [sys.executable, "-m", "runner.cli.main", "serve", "--port", str(port)]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(url, folder / "data" / LOCAL_TOKEN)
            yield Served(process, url, environ)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (folder / "log").read_text()
            assert not (folder / "data" / LOCAL_TOKEN).exists()


def of_this_process() -> dict[str, str]:
    """Return what a process needs to be run, and measured, as this one is."""
    kept = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return {**kept, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def wait_for(url: str, token: Path) -> None:
    """Wait until a server answers and has left its token."""
    for _ in range(600):
        try:
            with Client(url) as client:
                client.get("/repositories")
        except Unreachable:
            time.sleep(0.1)
            continue
        if token.exists():
            return
        time.sleep(0.1)
    pytest.fail("the server did not start within a minute")


@pytest.fixture(scope="module")
def pushed(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A server that has seen one push, whose run has ended."""
    folder = tmp_path_factory.mktemp("pushed")
    bare = folder / "demo.git"
    run_git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), at=folder)
    installed = served("hook", "install", str(bare), "--name", "acme/demo")
    assert installed.exit_code == 0, installed.output
    top = work_tree(folder / "demo", {".ci.yaml": FILE})
    run_git("push", "--quiet", str(bare), "main", at=top)
    followed = served("logs", "1", "-f")
    assert followed.exit_code == 0, followed.output
    return served


def test_a_push_becomes_a_run(pushed: Served) -> None:
    table = pushed("runs", "--repo", "acme/demo").output
    assert "acme/demo#1  ✗ failure  main" in table
    shown = pushed("show", "acme/demo#1").output
    assert "hello.answer = 42" in shown
    assert "⊗ last" in shown
    assert pushed("logs", "1").output == "no\n"
    assert pushed("logs", "1", "hello").output == "hello main\n"


def test_what_was_followed(pushed: Served) -> None:
    again = pushed("logs", "1", "-f").output
    assert "hello | hello main\n" in again


def test_another_round(pushed: Served) -> None:
    told = pushed("rerun", "1", "--failed", "--wait")
    assert told.exit_code == 1
    assert told.output.splitlines()[-1] == "acme/demo#1 ✗ failure"
    found = json.loads(pushed("show", "1", "--json").stdout)
    assert [len(step["attempts"]) for step in found["steps"]] == [1, 2, 0]


def test_what_has_ended_cannot_be_cancelled(pushed: Served) -> None:
    told = pushed("cancel", "1")
    assert (told.exit_code, "the run has ended" in told.stderr) == (4, True)


def test_deliveries_and_hooks(pushed: Served) -> None:
    listed = json.loads(pushed("deliveries", "--json").stdout)["deliveries"]
    assert [one["outcome"] for one in listed] == ["accepted"]
    assert "refs/heads/main at " in pushed("deliveries", listed[0]["id"]).output
    added = json.loads(pushed("hook", "add", "acme/demo", "--json").stdout)
    assert added["id"] in pushed("hook", "list", "acme/demo").output
    assert pushed("hook", "rm", added["id"]).exit_code == 0


def test_tokens(pushed: Served) -> None:
    made = json.loads(pushed("token", "create", "x", "--scope", "read", "--json").stdout)
    reader = Served(pushed.process, pushed.url, {**pushed.environ, "HOOKLINE_TOKEN": made["token"]})
    assert reader("runs").exit_code == 0
    refused = reader("rerun", "1")
    assert (refused.exit_code, "does not allow this" in refused.stderr) == (4, True)
    assert pushed("token", "rm", made["id"]).exit_code == 0
    assert reader("runs").exit_code == 4


def test_repositories(pushed: Served) -> None:
    assert "acme/demo  git" in pushed("repo", "list").output
    assert "clone url" in pushed("repo", "show", "acme/demo").output
    added = pushed("repo", "add", "x", "https://github.com/a/x", "--public", "--json")
    assert json.loads(added.stdout)["visibility"] == "public"
    assert pushed("repo", "rm", "x", "--yes").exit_code == 0


def test_a_folder_that_is_taken(served: Served) -> None:
    command = [sys.executable, "-m", "runner.cli.main", "serve", "--port", "0"]
    told = subprocess.run(
        command, env=dict(served.environ), capture_output=True, text=True, check=False
    )
    assert (told.returncode, "another server uses" in told.stderr) == (3, True)


def test_ctrl_c_is_a_good_end(tmp_path: Path) -> None:
    environ = {**of_this_process(), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "runner.cli.main", "serve", "--port", "0"]
    command += ["--host", "127.0.0.1", "--data", str(tmp_path / "data")]
    process = subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.PIPE)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"startup complete" in line:
                break
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 0


def test_options_outrank_the_environment() -> None:
    environ = {"HOOKLINE_LISTEN__PORT": "1", "OTHER": "x"}
    assert environment_of(environ, "::1", 0, "d") == {
        "HOOKLINE_LISTEN__HOST": "::1",
        "HOOKLINE_LISTEN__PORT": "0",
        "HOOKLINE_DATA": "d",
        "OTHER": "x",
    }
    assert environment_of(environ, None, None, None) == environ
