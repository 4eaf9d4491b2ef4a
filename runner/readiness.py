"""What an instance must have reached once before it is ready: its object store, its cluster.

What cannot be used as the settings say ends the start. What only does not answer is waited for:
the server takes webhooks meanwhile, which need the database alone, and says on `/readyz` what it
waits for. Once it was there it may go away again, and its users have a patience of their own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

log = logging.getLogger("hookline")

PAUSE = 5.0
"""Seconds between two tries."""

Attempt: TypeAlias = Callable[[], None]
Reach: TypeAlias = Callable[[str, Attempt, tuple[type[Exception], ...]], None]
"""Tries something that has a name, and what it raises if that may pass."""


def at_once(what: str, attempt: Attempt, away: tuple[type[Exception], ...]) -> None:  # noqa: ARG001
    """Reach something now or never: raise whatever the attempt raises."""
    attempt()


@dataclass
class _Awaited:
    attempt: Attempt
    away: tuple[type[Exception], ...]
    told: str


class Readiness:
    """What is still waited for; one thread looks again, any may ask."""

    def __init__(self) -> None:
        self._awaited: dict[str, _Awaited] = {}

    @property
    def awaited(self) -> tuple[str, ...]:
        """The names of what has not been reached yet."""
        return tuple(self._awaited)

    def reach(self, what: str, attempt: Attempt, away: tuple[type[Exception], ...]) -> None:
        """Make an attempt; if it raises what is in `away`, leave it to `serve` to make it again.

        Raises whatever else the attempt raises.
        """
        try:
            attempt()
        except away as error:
            self._awaited[what] = _Awaited(attempt, away, str(error))
            log.warning("%s does not answer yet, and is waited for: %s", what, error)

    def serve(self, stop: threading.Event) -> None:
        """Look again until all was reached, or until it is stopped."""
        while self._awaited and not stop.wait(PAUSE):
            self.look_again()

    def look_again(self) -> None:
        """Try once more what has not been reached yet.

        What turns out to be unusable is told as an error, and tried on: somebody may mend it.
        """
        for what, awaited in list(self._awaited.items()):
            try:
                awaited.attempt()
            except Exception as error:  # noqa: BLE001 - the next try is the answer to all
                if str(error) != awaited.told:
                    awaited.told = str(error)
                    level = logging.WARNING if isinstance(error, awaited.away) else logging.ERROR
                    log.log(level, "%s is still waited for: %s", what, error)
            else:
                del self._awaited[what]
                log.info("%s answers now", what)
