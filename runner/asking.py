"""Asking the executor for what the machines want: what first, how much at once, and in whose thread."""

from __future__ import annotations

import logging
import queue
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from pipelines.machine import Start, Stop, Want
from pipelines.states import Cause, Outcome
from runner.executors.base import AttemptId, Executor
from runner.live import LiveRun
from runner.messages import Acted, Message
from runner.pool import Pool
from runner.starting import Failed, Starter

log = logging.getLogger("hookline.engine")

_Wish: TypeAlias = tuple[LiveRun, Want]


@dataclass(frozen=True)
class Asker:
    """Has a pool ask the executor, and the answers put into the engine's queue.

    `capacity` is how many attempts may run at once, None for as many as are wanted.
    """

    executor: Executor
    starter: Starter
    pool: Pool
    messages: queue.SimpleQueue[Message]
    capacity: int | None

    def choose(self, lives: Collection[LiveRun], now: float) -> list[_Wish]:
        """Return what is to be asked for now: of every run the first thing, then the second.

        What would go beyond the capacity stays for later; what runs already and stops do not count.
        """
        free = self._free(lives)
        chosen = []
        for live, want in _round_robin(lives, now):
            if isinstance(want, Start) and not live.runs(want.step):
                if free is not None and free <= 0:
                    continue
                free = None if free is None else free - 1
            chosen.append((live, want))
        return chosen

    def ask(self, live: LiveRun, want: Want) -> None:
        """Have the executor asked to start or stop an attempt; the engine hears what came of it."""
        live.busy.add(want.step)
        attempt = live.attempt(want.step, want.attempt)
        if isinstance(want, Stop):
            self.pool.submit(
                lambda: self.messages.put(Acted(attempt, want, self._stopped(attempt)))
            )
            return
        inputs, on_conflict = live.inputs(want.step)

        def job() -> None:
            came_to = self.starter.start(
                lambda snapshot: live.order(want.step, want.attempt, snapshot), inputs, on_conflict
            )
            self.messages.put(Acted(attempt, want, came_to))

        self.pool.submit(job)

    def stop(self, attempt: AttemptId) -> None:
        """Have an attempt stopped of which nobody wants to hear any more."""

        def job() -> None:
            self._stopped(attempt)

        self.pool.submit(job)

    def _free(self, lives: Collection[LiveRun]) -> int | None:
        taken = sum(live.slots() for live in lives)
        return None if self.capacity is None else self.capacity - taken

    def _stopped(self, attempt: AttemptId) -> Failed | None:
        try:
            self.executor.stop(attempt)
        except Exception as error:
            log.exception("cannot stop %s of run %s", attempt, attempt.run)
            return Failed(Outcome.ERROR, Cause.EXECUTOR, str(error))
        return None


def _round_robin(lives: Collection[LiveRun], now: float) -> list[_Wish]:
    queues = [
        [
            (place, live, want)
            for place, want in enumerate(live.machine.wanted().values())
            if live.may_be_asked(want, now)
        ]
        for live in lives
        if live.machine is not None
    ]
    chosen = sorted((item for waiting in queues for item in waiting), key=lambda item: item[0])
    return [(live, want) for _, live, want in chosen]
