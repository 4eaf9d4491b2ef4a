"""Time as an argument: the clock of the machine, and one that tests turn by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> float:
        """Return the time of day in seconds since the epoch; it may jump."""

    def monotonic(self) -> float:
        """Return seconds since some moment in the past; they never go back."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return the time of day in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> float:
        """Return the time of day that was set."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was advanced by in all."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; they may not be negative."""
        if seconds < 0:
            message = f"time does not go back: {seconds} s"
            raise ValueError(message)
        self._now += seconds
        self._monotonic += seconds
