"""Telling the executor which attempts may be wanted soon, so that it can make them ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from pipelines.foresight import foresee
from runner.executors.base import Executor, Outline
from runner.live import LiveRun
from runner.pool import Pool

log = logging.getLogger("hookline.engine")


@dataclass
class Foreseer:
    """Offers an executor what the runs will want next, `limit` attempts at most.

    It is asked in the pool's threads, by one at a time and only when the offer has changed; an
    offer that was overtaken by another is left out.
    """

    executor: Executor
    pool: Pool
    limit: int
    _seen: tuple[tuple[str, int], ...] = ()
    _offered: tuple[Outline, ...] = ()
    _next: tuple[Outline, ...] | None = None
    _asking: bool = False
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, lives: Collection[LiveRun]) -> None:
        """Offer what comes next in all runs, the nearest of each first.

        Nothing is offered while something that could run now waits for its turn.
        """
        if not self.limit:
            return
        crowded = any(live.waits() for live in lives)
        seen = () if crowded else tuple((live.id, live.sequence) for live in lives)
        if seen == self._seen:
            return
        self._seen = seen
        outlines = () if crowded else self._foreseen(lives)
        if outlines != self._offered:
            self._offered = outlines
            self._submit(outlines)

    def _foreseen(self, lives: Collection[LiveRun]) -> tuple[Outline, ...]:
        rows = [
            [live.outline(foreseen) for foreseen in foresee(live.machine, self.limit)]
            for live in lives
            if live.machine is not None
        ]
        mixed = (outline for column in zip_longest(*rows) for outline in column)
        return tuple(outline for outline in mixed if outline is not None)[: self.limit]

    def _submit(self, outlines: Sequence[Outline]) -> None:
        with self._mutex:
            self._next = tuple(outlines)
            if self._asking:
                return
            self._asking = True
        self.pool.submit(self._ask)

    def _ask(self) -> None:
        """Ask until nothing newer is to be asked."""
        while True:
            with self._mutex:
                outlines, self._next = self._next, None
                if outlines is None:
                    self._asking = False
                    return
            try:
                self.executor.prepare(outlines)
            except Exception:
                log.exception("nothing is made ready ahead this time")
