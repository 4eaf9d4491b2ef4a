from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from runner.clock import SystemClock
from runner.executors.kubernetes.rounds import Rounds
from tests.runner.executors.kubernetes.rig import eventually


@contextmanager
def rounds(see_to: Callable[[str], float | None], threads: int = 2) -> Iterator[Rounds[str]]:
    made = Rounds(see_to, threads=threads, clock=SystemClock())
    try:
        yield made
    finally:
        made.close()


def test_sees_to_what_is_added() -> None:
    seen: list[str] = []
    with rounds(seen.append) as made:
        made.add("a")
        made.add("b", after=0.01)
        eventually(lambda: sorted(seen) == ["a", "b"])


def test_comes_back_when_it_is_told_to() -> None:
    seen: list[str] = []

    def see_to(key: str) -> float | None:
        seen.append(key)
        return 0.001 if len(seen) < 5 else None

    with rounds(see_to) as made:
        made.add("a")
        eventually(lambda: len(seen) == 5)


def test_sees_to_a_key_in_one_thread_at_a_time_and_once_more_if_asked_meanwhile() -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)
    busy: list[str] = []
    most: list[int] = []

    def see_to(key: str) -> None:
        busy.append(key)
        most.append(busy.count("a"))
        begun.release()
        assert go_on.acquire(timeout=30)
        busy.remove(key)

    with rounds(see_to, threads=3) as made:
        made.add("a")
        assert begun.acquire(timeout=30)
        for _ in range(3):
            made.add("a")
        made.add("b")
        assert begun.acquire(timeout=30)
        assert sorted(busy) == ["a", "b"]
        for _ in range(3):
            go_on.release()
        assert begun.acquire(timeout=30)
        eventually(lambda: not busy)
    assert max(most) == 1
    assert len(most) == 3


def test_an_earlier_time_counts() -> None:
    seen = threading.Event()
    with rounds(lambda key: seen.set()) as made:
        made.add("a", after=3600.0)
        made.add("a", after=0.0)
        made.add("a", after=3600.0)
        assert seen.wait(30)


def test_what_goes_wrong_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[str] = []

    def see_to(key: str) -> None:
        tries.append(key)
        if len(tries) < 2:
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR), rounds(see_to) as made:
        made.add("a")
        eventually(lambda: len(tries) == 2)
    assert "a is seen to again later" in caplog.text


def test_begins_nothing_once_it_is_closed() -> None:
    seen: list[str] = []
    made = Rounds(seen.append, threads=1, clock=SystemClock())
    made.close()
    made.add("a")
    made.close()
    assert not seen


def test_may_be_closed_by_what_it_calls() -> None:
    done = threading.Event()

    def see_to(key: str) -> None:
        made.close()
        done.set()

    made = Rounds(see_to, threads=1, clock=SystemClock())
    made.add("a")
    assert done.wait(30)
