"""Sees to things by their names, in a few threads: each by one at a time, and again when asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from runner.clock import Clock
from runner.kube.backoff import Backoff

log = logging.getLogger("hookline.kubernetes")

Key = TypeVar("Key", bound=Hashable)


class Rounds(Generic[Key]):
    """Calls `see_to` with every key that is added, and again after the seconds that it returns.

    A key is seen to by one thread at a time; one that is added meanwhile is seen to once more.
    What goes wrong unexpectedly is logged, and tried again with growing pauses.
    """

    def __init__(
        self, see_to: Callable[[Key], float | None], *, threads: int, clock: Clock
    ) -> None:
        self._see_to = see_to
        self._clock = clock
        self._news = threading.Condition()
        self._due: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._troubled: dict[Key, Backoff] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"hookline-pods-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Have a key seen to in some seconds; if that is planned for earlier, it stays so."""
        with self._news:
            at = self._clock.monotonic() + after
            if self._due.get(key, at + 1.0) > at:
                self._due[key] = at
                self._news.notify()

    def close(self) -> None:
        """Begin nothing more, and wait for what is being done."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _run(self) -> None:
        while (key := self._next()) is not None:
            again = self._try(key)
            with self._news:
                self._busy.discard(key)
                if again is not None:
                    self.add(key, again)
                elif key in self._due:
                    self._news.notify()

    def _next(self) -> Key | None:
        """Return the next key, when it is due, marked as busy; None at the end."""
        with self._news:
            while not self._closed:
                now = self._clock.monotonic()
                due = ((at, key) for key, at in self._due.items() if key not in self._busy)
                at, key = min(due, key=lambda pair: pair[0], default=(None, None))
                if at is not None and key is not None and at <= now:
                    del self._due[key]
                    self._busy.add(key)
                    return key
                self._news.wait(None if at is None else at - now)
        return None

    def _try(self, key: Key) -> float | None:
        try:
            again = self._see_to(key)
        except Exception:
            log.exception("%s is seen to again later", key)
            return self._troubled.setdefault(key, Backoff(1.0, 30.0)).next(0.5)
        self._troubled.pop(key, None)
        return again
