from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

from runner.executors import orphans

SLEEP = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]


def sleeper(marker: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        SLEEP,
        env={"CI_OUTPUT": marker},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"\n"
    return child


def proc_with(tmp_path: Path, *processes: int) -> Path:
    """Return a `/proc` that shows these processes as they are now."""
    for process in processes:
        (tmp_path / str(process)).mkdir()
        (tmp_path / str(process) / "environ").write_bytes(b"A=1\0CI_OUTPUT=mine\0")
    (tmp_path / "1").mkdir()
    return tmp_path


def test_those_with_the_marker_are_killed_until_none_is_left(tmp_path: Path) -> None:
    with sleeper("mine") as mine, sleeper("mine too") as other:
        proc = proc_with(tmp_path, mine.pid)
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                (proc / str(mine.pid) / "environ").unlink()

        orphans.kill("CI_OUTPUT=mine", None, proc=proc, pause=pause)
        assert mine.wait() == -SIGKILL
        assert len(pauses) == 2
        assert other.poll() is None
        other.kill()


def test_one_that_cannot_be_killed_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with sleeper("mine") as child:
        proc = proc_with(tmp_path, child.pid)
        pauses: list[float] = []
        orphans.kill("CI_OUTPUT=mine", None, proc=proc, pause=pauses.append)
        assert len(pauses) == 100


def test_without_proc_the_group_is_killed(tmp_path: Path) -> None:
    with sleeper("mine") as child:
        orphans.kill("CI_OUTPUT=mine", None, proc=tmp_path / "none")
        assert child.poll() is None
        orphans.kill("CI_OUTPUT=mine", os.getpgid(child.pid), proc=tmp_path / "none")
        assert child.wait() == -SIGKILL
