from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner.agent import locks


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first = locks.take(tmp_path / "lock")
    assert first is not None
    assert locks.take(tmp_path / "lock") is None
    assert locks.held(tmp_path / "lock")
    os.close(first)
    assert not locks.held(tmp_path / "lock")
    second = locks.take(tmp_path / "lock")
    assert second is not None
    os.close(second)


def test_a_holder_may_be_given_time_to_let_go(tmp_path: Path) -> None:
    held = locks.obtain(tmp_path / "lock")
    assert locks.take(tmp_path / "lock", patience=0.02) is None
    going = threading.Timer(0.05, os.close, [held])
    going.start()
    taken = locks.take(tmp_path / "lock", patience=30)
    assert taken is not None
    going.join()
    os.close(taken)


def test_nobody_holds_the_lock_of_a_file_that_is_not(tmp_path: Path) -> None:
    assert not locks.held(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    locks.wait(tmp_path / "none")


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        locks.take(tmp_path / "none" / "lock")


def test_whoever_waits_goes_on_when_the_holder_lets_go(tmp_path: Path) -> None:
    held = locks.obtain(tmp_path / "lock")
    waiter = threading.Thread(target=locks.wait, args=(tmp_path / "lock",))
    waiter.start()
    assert waiter.is_alive()
    os.close(held)
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_process_that_inherits_a_lock_holds_it_until_it_dies(tmp_path: Path) -> None:
    held = locks.obtain(tmp_path / "lock")
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(held,)) as child:
        os.close(held)
        assert locks.held(tmp_path / "lock")
        child.kill()
        locks.wait(tmp_path / "lock")
    assert not locks.held(tmp_path / "lock")


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_worth_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = locks.obtain(path)
    taken: list[int] = []
    waiter = threading.Thread(target=lambda: taken.append(locks.obtain(path)))
    waiter.start()
    # Give it the time to wait for the old file; had it none, it would take the new one at once.
    time.sleep(0.2)
    path.unlink()
    os.close(first)
    waiter.join(30)
    assert os.path.samestat(os.fstat(taken[0]), path.stat())
    os.close(taken[0])
