"""How long to wait before the next try: growing, with full jitter, so that many do not meet."""

from __future__ import annotations

import random
from collections.abc import Callable

Jitter = Callable[[], float]
"""Returns a number in [0, 1)."""


class Backoff:
    """The waits between tries: each drawn from 0 up to a bound that doubles from `first`."""

    def __init__(self, first: float, longest: float, jitter: Jitter = random.random) -> None:
        """Make one; `first` and `longest` are bounds in seconds."""
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._bound = first

    def next(self, at_least: float | None = None) -> float:
        """Return the seconds to wait now; never less than `at_least`, as `Retry-After` asks.

        What a server asks for is bounded too: by twice the longest wait.
        """
        wait = self._jitter() * self._bound
        self._bound = min(self._bound * 2, self._longest)
        return wait + min(at_least or 0.0, self._longest * 2)

    def reset(self) -> None:
        """Begin anew, after something went well."""
        self._bound = self._first
