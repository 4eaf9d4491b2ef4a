"""Says which Pods are made ready before their turn, and whether there is room for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from runner.clock import Clock
from runner.executors.base import AttemptId, Outline


class Room:
    """Remembers for a while that something found no room; what may run now comes first.

    `crowd` is called when there was room until now.
    """

    def __init__(self, clock: Clock, seconds: float, crowd: Callable[[], object]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._crowd = crowd
        self._until = float("-inf")
        self._mutex = threading.Lock()

    @property
    def crowded(self) -> bool:
        """Whether nothing is to be made ready now, and what was is to give way."""
        return self._clock.monotonic() < self._until

    def lacking(self) -> None:
        """Note that there is no room now."""
        with self._mutex:
            news = not self.crowded
            self._until = self._clock.monotonic() + self._seconds
        if news:
            self._crowd()


def choose(
    outlines: Sequence[Outline], most: int, wanted: Collection[AttemptId]
) -> Mapping[AttemptId, Outline]:
    """Return which of some outlines are made ready: the first of those not `wanted` already."""
    fresh = [outline for outline in outlines if outline.attempt not in wanted]
    return {outline.attempt: outline for outline in fresh[:most]}
