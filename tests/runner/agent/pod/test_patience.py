from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.agent.pod.patience import Exhausted, Passing, Patience, chance


class Weather:
    """A store that is away until a time, and somebody who waits ten minutes, or five seconds once
    he was stopped."""

    def __init__(self, until: float, stopped_at: float = 1e9) -> None:
        self.now = 0.0
        self.until = until
        self.stopped_at = stopped_at
        self.said: list[str] = []
        self.waits: list[float] = []
        self.patience = self.make(lambda: 1.0)

    def make(self, dice: Callable[[], float]) -> Patience:
        return Patience(
            lambda: 600.0 if self.now < self.stopped_at else 5.0,
            self.said.append,
            clock=lambda: self.now,
            sleep=self.sleep,
            dice=dice,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def ask(self) -> str:
        if self.now < self.until:
            raise Passing("connection refused")
        return "here"


def test_what_works_is_not_waited_for() -> None:
    weather = Weather(0.0)
    assert weather.patience.through(weather.ask) == "here"
    assert weather.waits == []
    assert weather.said == []


def test_a_moment_is_not_worth_a_word() -> None:
    weather = Weather(0.5)
    assert weather.patience.through(weather.ask) == "here"
    assert weather.waits == pytest.approx([0.1, 0.2, 0.4])
    assert weather.said == []


def test_going_and_coming_back_are_told_once() -> None:
    weather = Weather(60.0)
    assert weather.patience.through(weather.ask) == "here"
    assert max(weather.waits) == 2.0
    assert weather.said == [
        "the object store is away (connection refused): waiting for it",
        "the object store is back after 1m1s",
    ]
    weather.patience.through(weather.ask)
    assert len(weather.said) == 2


def test_patience_ends() -> None:
    weather = Weather(1e9)
    with pytest.raises(Exhausted, match=r"^connection refused, for 10m\d*s?$"):
        weather.patience.through(weather.ask)
    assert 600 <= weather.now < 603


def test_patience_is_asked_for_anew_each_time() -> None:
    weather = Weather(1e9, stopped_at=30.0)
    with pytest.raises(Exhausted, match=r"for 3\ds$"):
        weather.patience.through(weather.ask)
    assert 30 < weather.now < 33


def test_nobody_comes_back_at_the_same_time_as_all_others() -> None:
    weather = Weather(0.3)
    weather.make(lambda: 0.0).through(weather.ask)
    assert weather.waits == pytest.approx([0.05, 0.1, 0.2])


def test_what_does_not_pass_is_not_waited_for() -> None:
    weather = Weather(0.0)

    def break_down() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        weather.patience.through(break_down)


def test_chance_is_between_none_and_all() -> None:
    found = {chance() for _ in range(100)}
    assert len(found) > 90
    assert all(0 <= number < 1 for number in found)
