"""Runs a step's command: writes down what it prints, ends it in time, leaves nothing running."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM
from types import TracebackType
from typing import Self

from runner.agent import leftovers
from runner.agent.errors import AgentError, CommandError
from runner.agent.loglines import LogWriter
from runner.agent.signals import Signals
from runner.agent.verdict import CANCELLED, TIMEOUT, Ending

_CHUNK = 64 * 1024
# As much as a pipe can hold by default; after the command's end there cannot be more.
_FULL_PIPE = 1024 * 1024
# How often to see whether a process group is gone, which no signal tells on every system.
_GROUP_TURN = 0.05
_LEFTOVERS_PATIENCE = 10.0
_LONGEST_WAIT = 3600.0


class Command:
    """A command that runs in a session of its own; made by `start`, gone at the end of its `with`.

    `group` is its process group, `grace` the seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipe: int,
        *,
        log: LogWriter,
        signals: Signals,
        grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group = process.pid
        self._process = process
        self._pipe = pipe
        self._log = log
        self._signals = signals
        self._grace = grace
        self._clock = clock
        self._code: int | None = None
        self._forced = ""
        self._deadline = 0.0
        self._killed = False
        self._clean = False
        self._poll = select.poll()
        self._poll.register(signals, select.POLLIN)
        self._poll.register(pipe, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear_away()
        os.close(self._pipe)

    def supervise(self, timeout: float) -> Ending:
        """Return how the command ended, when it and everything it started is gone.

        It is allowed `timeout` seconds. Raise `LogError` if its log cannot be written.
        """
        self._deadline = self._clock() + timeout
        while self._busy():
            self._wait()
            self._reap()
            self._enforce()
        self._clear_away()
        self._drain()
        if self._code is None:
            message = "the command does not end, though it was killed"
            raise AgentError(message)
        return Ending(self._code, self._forced)

    def _busy(self) -> bool:
        """Whether the command runs, or was asked to end and some of its group are still at it."""
        if self._code is None:
            return True
        return bool(self._forced) and not self._killed and leftovers.group_lives(self.group)

    def _wait(self) -> None:
        """Wait for output, a signal or the deadline, and take in the output."""
        limit = _LONGEST_WAIT if self._code is None else _GROUP_TURN
        seconds = min(max(self._deadline - self._clock(), 0.0), limit)
        # SIGKILL was sent, so there is no deadline any more.
        events = self._poll.poll(None if self._killed else seconds * 1000 + 1)
        for descriptor, _ in events:
            if descriptor != self._pipe:
                self._signals.clear()
            elif self._read() == 0:
                self._poll.unregister(self._pipe)

    def _read(self) -> int | None:
        """Take in what the pipe holds; return how many bytes, 0 at its end, None for none yet."""
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return None
        self._log.write(data)
        return len(data)

    def _reap(self) -> bool:
        """Collect the processes that ended; return whether any are left below this one."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if process == 0:
                return True
            if process == self.group:
                self._code = self._process.returncode = os.waitstatus_to_exitcode(status)

    def _enforce(self) -> None:
        """Ask the command to end if it must, and make it end if it did not within the grace."""
        late = self._clock() >= self._deadline
        if not self._forced:
            if self._code is None and (self._signals.stopped or late):
                self._forced = CANCELLED if self._signals.stopped else TIMEOUT
                self._deadline = self._clock() + self._grace
                leftovers.signal_group(self.group, SIGTERM)
        elif late and not self._killed:
            self._killed = True
            leftovers.signal_group(self.group, SIGKILL)

    def _clear_away(self) -> None:
        """Kill what is left, until nothing is or it resists for too long to be waited for."""
        if self._clean:
            return
        leftovers.signal_group(self.group, SIGKILL)
        patience = self._clock() + _LEFTOVERS_PATIENCE
        turns = select.poll()
        turns.register(self._signals, select.POLLIN)
        while self._reap() and self._clock() < patience:
            leftovers.kill_descendants(os.getpid())
            turns.poll(_GROUP_TURN * 1000)
            self._signals.clear()
        self._clean = True

    def _drain(self) -> None:
        """Take in what the pipe still holds; somebody who got away may keep it open for ever."""
        left = _FULL_PIPE
        while left > 0 and (count := self._read()):
            left -= count


def start(
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    log: LogWriter,
    signals: Signals,
    grace: float,
) -> Command:
    """Start a command with nothing to read, its output and errors in one pipe to the log.

    Raise `CommandError` if there is no such program or it may not be run.
    """
    if not command:
        message = "the step has no command"
        raise CommandError(message)
    read, write = os.pipe()
    os.set_blocking(read, False)
    try:
        # S603: running what the pipeline says is what this is for; no shell is added.
        process = subprocess.Popen(  # noqa: S603
            list(command),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        os.close(read)
        raise CommandError.of(command[0], error) from error
    finally:
        os.close(write)
    return Command(process, read, log=log, signals=signals, grace=grace)
