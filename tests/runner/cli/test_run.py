"""`hookline run` on real checkouts, with real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.displays import JsonDisplay, PlainDisplay
from runner.cli.run import chosen
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.looks import plan_of
from tests.support.repositories import work_tree

FILE = """
steps:
  hello:
    run: |
      echo "hello $WHO from $CI_EVENT $CI_BRANCH$CI_TAG ${SHARED_THING:-nothing}"
      echo built > out.txt
    artifacts: [out.txt]
"""
ROOT = Path(__file__).parents[3]


def checkout(folder: Path, text: str = FILE) -> Path:
    return work_tree(folder / "demo", {".ci.yaml": text})


def test_a_run(invoke: Invoke, tmp_path: Path) -> None:
    top = checkout(tmp_path)
    out = tmp_path / "out"
    told = invoke("run", str(top), "--env", "WHO=you=me", "--artifacts", str(out), "--jobs", "1")
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert lines[:2] == ["▶ hello", "hello | hello you=me from push main nothing"]
    assert lines[-1].startswith("✓ success after ")
    assert (out / "hello" / "out.txt").read_text() == "built\n"


def test_what_steps_may_see(invoke: Invoke, tmp_path: Path) -> None:
    top = checkout(tmp_path)
    words = ("run", str(top), "--json", "--event", "tag:v1", "--pass-env", "SHARED_*")
    told = invoke(*words, env={"SHARED_THING": "shared"})
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert [r["line"] for r in records if "line" in r] == ["hello  from tag v1 shared"]
    assert records[-1]["run"]["status"] == "success"
    assert [step["name"] for step in records[-1]["steps"]] == ["hello"]


def test_a_run_that_fails(invoke: Invoke, tmp_path: Path) -> None:
    top = checkout(tmp_path)
    other = top / "other.yaml"
    other.write_text("steps: {a: {run: exit 3}}")
    told = invoke("run", str(top), "--file", str(other), "--no-color")
    assert told.exit_code == 1
    assert "✗ a " in told.output


def test_what_cannot_be_run(invoke: Invoke, tmp_path: Path) -> None:
    broken = invoke("run", str(checkout(tmp_path, "steps: {a: {rnu: x}}")))
    assert (broken.exit_code, "unknown key `rnu`" in broken.stderr) == (3, True)
    elsewhere = invoke("run", ".")
    assert (elsewhere.exit_code, "Run `git init`" in elsewhere.stderr) == (2, True)
    assert invoke("run", "nosuch").exit_code == 2
    unset = invoke("run", ".", "--env", "WHO")
    assert (unset.exit_code, "write --env NAME=VALUE" in unset.stderr) == (2, True)


def test_ctrl_c_lets_finally_run(tmp_path: Path) -> None:
    text = """
steps: {wait: {run: 'echo waiting; sleep 60'}}
finally: {tidy: {run: echo tidied}}
"""
    command = [sys.executable, "-m", "runner.cli.main", "run", str(checkout(tmp_path, text))]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "wait | waiting\n":
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert "cancelling: " in rest
    assert "tidy | tidied\n" in rest
    assert process.returncode == 130


def test_a_terminal_gets_the_graph(tmp_path: Path) -> None:
    top = checkout(tmp_path, "steps: {a: {run: echo one}, b: {needs: a, run: echo two}}")
    command = [sys.executable, "-m", "runner.cli.main", "run", str(top)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stdin=theirs, env=environ)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        pass  # Linux says so when the other side of a terminal is closed.
    os.close(ours)
    assert process.wait() == 0
    text = written.decode()
    assert "└─ " in text
    assert "b | two" in text
    assert "success after" in text


@pytest.mark.parametrize(("as_json", "kind"), [(True, JsonDisplay), (False, PlainDisplay)])
def test_what_goes_into_a_file_is_plain(as_json: bool, kind: type) -> None:
    plan = plan_of("steps: {a: {run: x}}")
    assert isinstance(chosen(plan, as_json=as_json, colours=True), kind)


def test_secrets(invoke: Invoke, tmp_path: Path) -> None:
    top = checkout(tmp_path, "steps: {a: {run: 'echo $KEY', secrets: KEY}}")
    told = invoke(
        "run", str(top), "--secret", "KEY", "--secret", "KYE", env={"KEY": "hush", "KYE": "hush"}
    )
    assert told.exit_code == 0, told.output
    assert "no step names the secret KYE\n" in told.output
    assert "a | ***" in told.output
    assert "hush" not in told.output
    missing = invoke("run", str(top), "--secret", "KEY")
    assert (missing.exit_code, "no variable KEY" in missing.stderr) == (2, True)
    without = invoke("run", str(top))
    assert (without.exit_code, "hookline run --secret KEY" in without.output) == (1, True)


def test_services_need_another_executor(invoke: Invoke, tmp_path: Path) -> None:
    top = checkout(tmp_path, "steps: {a: {run: x, services: {db: {image: x}}}}")
    told = invoke("run", str(top))
    assert (told.exit_code, "services need the Kubernetes executor" in told.stderr) == (3, True)
