from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

from runner.agent import leftovers


def process(proc: Path, pid: int, parent: int, name: str = "sh") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1")


def test_descendants_are_found_at_any_depth_and_others_are_not(tmp_path: Path) -> None:
    process(tmp_path, 10, 1)
    process(tmp_path, 11, 10, "a (b) 7")
    process(tmp_path, 12, 11)
    process(tmp_path, 13, 10)
    process(tmp_path, 20, 1)
    (tmp_path / "30").mkdir()
    assert sorted(leftovers.descendants(10, tmp_path)) == [11, 12, 13]
    assert list(leftovers.descendants(12, tmp_path)) == []


def test_where_there_is_no_proc_none_are_found(tmp_path: Path) -> None:
    assert list(leftovers.descendants(1, tmp_path / "none")) == []


def test_a_group_lives_until_its_last_member_is_collected() -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as child:
        assert leftovers.group_lives(child.pid)
        leftovers.signal_group(child.pid, SIGKILL)
        assert child.wait() == -SIGKILL
    assert not leftovers.group_lives(child.pid)
    leftovers.signal_group(child.pid, SIGKILL)


def test_one_without_descendants_loses_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        leftovers.kill_descendants(child.pid)
        assert child.wait() == 0
    assert os.getpid()
