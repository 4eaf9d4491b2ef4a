"""The step as the agent sees it: writes down what it prints, hears its end, ends it in time."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from signal import SIGKILL, SIGTERM
from types import TracebackType
from typing import Self

from runner.agent.errors import AgentError, CommandError, ContainerLost, LogError
from runner.agent.loglines import LogWriter
from runner.agent.pod.launcher import PIPE, Launcher
from runner.agent.signals import Signals
from runner.agent.verdict import CANCELLED, TIMEOUT, Ending

_CHUNK = 256 * 1024
_LONGEST_WAIT = 3600.0
# Seconds in which a launcher must have told the end of a step that was killed; it waits for ten. One
# that does not hear of it, as the step took the word for it from the FIFO, ends with the agent.
_LAST_WAIT = 20.0
# A Pod that is deleted sends SIGTERM to step and agent at once, so one may hear the other die first.
_SAME_TIME = 0.5
_BY_SIGTERM = frozenset({-SIGTERM, 128 + SIGTERM})


class Step:
    """A step's command in the launcher's hands; it is over at the end of its `with`.

    `grace` is the seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        log: LogWriter,
        signals: Signals,
        grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._launcher = launcher
        self._log = log
        self._signals = signals
        self._grace = grace
        self._clock = clock
        self._forced = ""
        self._killed = False
        self._deadline = 0.0
        self._poll = select.poll()
        for source in (signals.fileno(), launcher.end_fifo, launcher.log_fifo):
            self._poll.register(source, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the launcher, which kills a step that still runs."""
        self._launcher.leave()

    def run(self, order: bytes, program: str, timeout: float) -> Ending | None:
        """Return how the command ended, None if its container was killed around it.

        It is allowed `timeout` seconds. Raise `CommandError` if it could not be started,
        `ContainerLost` if nobody was there to start it, `LogError` if its log cannot be written.
        """
        if not self._launcher.order(order):
            raise ContainerLost
        self._deadline = self._clock() + timeout
        while not self._over():
            self._wait()
            self._enforce()
        if self._launcher.refusal is not None:
            raise CommandError.of(program, self._launcher.refusal)
        self._drain()
        return self._ending()

    def _over(self) -> bool:
        return self._launcher.end is not None or self._launcher.gone

    def _wait(self) -> None:
        """Wait for output, the end, a signal or the deadline, and take in what there is."""
        seconds = min(max(self._deadline - self._clock(), 0.0), _LONGEST_WAIT)
        for descriptor, _ in self._poll.poll(seconds * 1000 + 1):
            if descriptor == self._launcher.log_fifo:
                self._read()
            elif descriptor == self._launcher.end_fifo:
                self._launcher.listen()
            else:
                self._signals.clear()

    def _read(self) -> bool:
        """Take in what the log's FIFO holds; return whether there was anything."""
        try:
            data = os.read(self._launcher.log_fifo, _CHUNK)
        except BlockingIOError:
            return False
        try:
            self._log.write(data)
        except LogError:
            self._launcher.ask(b"K")
            raise
        return True

    def _drain(self) -> None:
        """Take in what the log's FIFO still holds, and no more: what goes on there is not ours."""
        for _ in range(PIPE // _CHUNK + 1):
            if not self._read():
                return

    def _enforce(self) -> None:
        """Ask the step to end if it must, and have it killed if it did not within the grace."""
        late = self._clock() >= self._deadline
        if self._over() or not (late or (self._signals.stopped and not self._forced)):
            return
        if not self._forced:
            self._forced = CANCELLED if self._signals.stopped else TIMEOUT
            self._deadline = self._clock() + self._grace
            self._launcher.ask(b"T")
        elif not self._killed:
            self._killed = True
            self._deadline = self._clock() + _LAST_WAIT
            self._launcher.ask(b"K")
        else:
            message = "the command does not end, though it was killed"
            raise AgentError(message)

    def _ending(self) -> Ending | None:
        if self._launcher.end is None:
            return Ending(-SIGKILL, self._forced) if self._forced else None
        code, kills = self._launcher.end
        if code in _BY_SIGTERM and not self._forced and self._stopped_too():
            self._forced = CANCELLED
        return Ending(code, self._forced, kills)

    def _stopped_too(self) -> bool:
        """Return whether the agent is asked to end, too, at about the same time."""
        until = self._clock() + _SAME_TIME
        while not self._signals.stopped and self._clock() < until:
            select.select([self._signals], [], [], until - self._clock())
            self._signals.clear()
        return self._signals.stopped
