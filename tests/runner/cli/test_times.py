"""Times as they are shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from runner.cli.times import ago, full_time, took


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") != "Europe/Berlin"
    time.tzset()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 5.0, ""),
        (5.0, None, ""),
        (5.0, 6.25, "1.2 s"),
        (6.0, 5.0, "0 s"),
        (0.0, 65.0, "1m 5s"),
    ],
)
def test_how_long_something_took(start: float | None, end: float | None, expected: str) -> None:
    assert took(start, end) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [(None, ""), (100.0, "now"), (101.0, "now"), (97.6, "2 s ago"), (40.0, "1m ago")],
)
def test_how_long_ago_it_was(at: float | None, expected: str) -> None:
    assert ago(at, 100.0) == expected


def test_a_moment() -> None:
    assert full_time(1_750_000_000.0) == "2025-06-15 17:06:40 +0200"
    assert full_time(None) == ""
