"""How long an agent waits while the object store is away, and what it says meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from runner.agent.verdict import duration

_Answer = TypeVar("_Answer")

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 2.0
# What passes sooner is not worth a word.
_WORTH_SAYING = 1.0


class Passing(Exception):
    """Something went wrong that may pass; the message is short, to stand in brackets."""


class Exhausted(Exception):
    """It did not pass; the message says what, and how long was waited."""


def chance() -> float:
    """Return a number from 0 to 1, another one each time."""
    return int.from_bytes(os.urandom(4)) / 2**32


class Patience:
    """Tries again and again for as long as `limit` says at that time, in seconds.

    Safe from any thread; `say` is told once when the store is away for all of them, and when it is
    back.
    """

    def __init__(
        self,
        limit: Callable[[], float],
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        dice: Callable[[], float] = chance,
    ) -> None:
        self._limit = limit
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._dice = dice
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._said = False

    def through(self, act: Callable[[], _Answer]) -> _Answer:
        """Return what `act` returns once it raises `Passing` no more; raise `Exhausted`."""
        since: float | None = None
        delay = _FIRST_DELAY
        while True:
            try:
                answer = act()
            except Passing as trouble:
                now = self._clock()
                since = now if since is None else since
                self._away(now, str(trouble))
                if now - since >= self._limit():
                    message = f"{trouble}, for {duration(round(now - since))}"
                    raise Exhausted(message) from trouble
                # Half of it by chance, so that the agents of many Pods do not come back as one.
                self._sleep(delay * (1 + self._dice()) / 2)
                delay = min(2 * delay, _LONGEST_DELAY)
            else:
                self._back()
                return answer

    def _away(self, now: float, why: str) -> None:
        with self._lock:
            if self._away_since is None:
                self._away_since = now
            if self._said or now - self._away_since < _WORTH_SAYING:
                return
            self._said = True
        self._say(f"the object store is away ({why}): waiting for it")

    def _back(self) -> None:
        with self._lock:
            since, said = self._away_since, self._said
            self._away_since, self._said = None, False
        if said and since is not None:
            self._say(f"the object store is back after {duration(round(self._clock() - since))}")
