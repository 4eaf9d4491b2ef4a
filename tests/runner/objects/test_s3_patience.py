from __future__ import annotations

import pytest

from runner.objects.s3_errors import S3Error, StoreBusy, StoreDenied, StoreUnreachable
from runner.objects.s3_patience import Patience


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Failing:
    """Fails with each of its errors once, then answers."""

    def __init__(self, *errors: S3Error) -> None:
        self.errors = list(errors)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def patience(seconds: float, clock: Clock) -> Patience:
    return Patience(
        seconds=seconds,
        longest_pause=1.0,
        clock=lambda: clock.now,
        sleep=clock.sleep,
        uniform=lambda _, most: most,
    )


def test_an_answer_is_handed_on_at_once() -> None:
    clock = Clock()
    assert patience(60, clock)(Failing()) == "answer"
    assert clock.slept == []


def test_what_passes_is_tried_again_after_longer_and_longer_pauses() -> None:
    clock = Clock()
    act = Failing(*(StoreUnreachable("x") for _ in range(5)), StoreBusy("x"))
    assert patience(60, clock)(act) == "answer"
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_patience_ends() -> None:
    clock = Clock()
    act = Failing(*(StoreBusy(f"try {number}") for number in range(100)))
    with pytest.raises(StoreBusy, match="try 5"):
        patience(3.0, clock)(act)
    assert clock.now <= 103.0


def test_other_errors_are_told_at_once() -> None:
    clock = Clock()
    act = Failing(StoreDenied("x"))
    with pytest.raises(StoreDenied):
        patience(60, clock)(act)
    assert act.tries == 1


def test_without_patience_there_is_one_try() -> None:
    clock = Clock()
    act = Failing(StoreBusy("x"))
    with pytest.raises(StoreBusy):
        patience(60, clock).none()(act)
    assert (act.tries, clock.slept) == (1, [])


def test_pauses_differ() -> None:
    slept: set[float] = set()
    act = Failing(*(StoreBusy("x") for _ in range(20)))
    Patience(seconds=1e9, sleep=slept.add)(act)
    assert len(slept) > 10
    assert max(slept) <= 5.0
