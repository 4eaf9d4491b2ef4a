"""What must have been reached once: at the start, or later."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from runner.readiness import Readiness, at_once


class Away(Exception):
    """It does not answer."""


class Wrong(Exception):
    """It can never be used."""


def failing(*errors: Exception) -> Callable[[], None]:
    """Return an attempt that raises these, one after the other, and then works."""
    left = list(errors)

    def attempt() -> None:
        if left:
            raise left.pop(0)

    return attempt


def test_what_answers_is_not_waited_for() -> None:
    readiness = Readiness()
    readiness.reach("the store", failing(), (Away,))
    assert not readiness.awaited
    readiness.serve(threading.Event())


def test_what_cannot_be_used_ends_the_start() -> None:
    readiness = Readiness()
    with pytest.raises(Wrong):
        readiness.reach("the store", failing(Wrong()), (Away,))
    assert not readiness.awaited
    with pytest.raises(Away):
        at_once("the store", failing(Away()), (Away,))


def test_what_is_away_is_tried_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hookline")
    readiness = Readiness()
    trouble = (Away("no route"), Away("no route"), Away("no name"), Wrong("no right"))
    readiness.reach("the store", failing(*trouble), (Away,))
    readiness.reach("the cluster", failing(Away("starting")), (Away,))
    assert list(readiness.awaited) == ["the store", "the cluster"]
    for _ in range(3):
        readiness.look_again()
    assert list(readiness.awaited) == ["the store"]
    readiness.look_again()
    assert not readiness.awaited
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the store does not answer yet, and is waited for: no route"),
        ("WARNING", "the cluster does not answer yet, and is waited for: starting"),
        ("INFO", "the cluster answers now"),
        ("WARNING", "the store is still waited for: no name"),
        ("ERROR", "the store is still waited for: no right"),
        ("INFO", "the store answers now"),
    ]


class Turns(threading.Event):
    """Is set after some waits, without the time they take."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns

    def wait(self, timeout: float | None = None) -> bool:
        self.turns -= 1
        return self.turns < 0


def test_it_is_served_until_it_is_stopped_or_all_was_reached() -> None:
    readiness = Readiness()
    readiness.reach("the store", failing(Away(), Away(), Away()), (Away,))
    readiness.serve(Turns(1))
    assert list(readiness.awaited) == ["the store"]
    turns = Turns(100)
    readiness.serve(turns)
    assert not readiness.awaited
    assert turns.turns == 98
