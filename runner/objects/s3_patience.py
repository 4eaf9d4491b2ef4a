"""How long a store that is away for a moment is asked again before somebody is told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from runner.objects.s3_errors import PASSING

_Answer = TypeVar("_Answer")
_FIRST_PAUSE = 0.1


@dataclass(frozen=True)
class Patience:
    """Tries again what failed and may pass, for `seconds` at most; 0 tries once.

    The pauses double up to `longest_pause` seconds, and each is cut to a random part of itself, so
    that those who lost the store together do not come back together.
    """

    seconds: float = 60.0
    longest_pause: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform

    def __call__(self, act: Callable[[], _Answer]) -> _Answer:
        """Return what `act` returns; raise what it raises, once there is no hope or no time."""
        until = self.clock() + self.seconds
        bound = _FIRST_PAUSE
        while True:
            try:
                return act()
            except PASSING:
                pause = self.uniform(0, min(self.longest_pause, bound))
                if self.clock() + pause >= until:
                    raise
            self.sleep(pause)
            bound = min(self.longest_pause, 2 * bound)

    def none(self) -> Patience:
        """The same without patience."""
        return replace(self, seconds=0.0)


PATIENT = Patience()
