"""Turns the signals an agent gets into something that `poll` can wait for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stopped(BaseException):
    """The attempt was asked to end while nothing ran that could be asked in turn.

    No `Exception`, so that whatever it interrupts does not take it for a trouble of its own.
    """


class Signals:
    """Hears SIGTERM (the attempt is to end) and SIGCHLD, from when it is made to when it is closed.

    Belongs to the main thread. `fileno` is readable whenever a signal came since `clear`.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._interrupting = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._woken_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handled_before = {
            number: signal.signal(number, handler)
            for number, handler in ((signal.SIGTERM, self._stop), (signal.SIGCHLD, self._wake))
        }

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._read

    def clear(self) -> None:
        """Forget the signals that came so far; `stopped` stays."""
        with suppress(BlockingIOError):
            while True:
                os.read(self._read, 4096)

    def stop(self) -> None:
        """Act as if SIGTERM had come."""
        self.stopped = True

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise `Stopped` within the block if the attempt was asked to end, or as soon as it is."""
        self._interrupting = True
        try:
            if self.stopped:
                raise Stopped
            yield
        finally:
            self._interrupting = False

    def close(self) -> None:
        """Give the signals back to whoever had them before."""
        for number, handler in self._handled_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken_before)
        os.close(self._read)
        os.close(self._write)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopped = True
        if self._interrupting:
            self._interrupting = False
            raise Stopped

    def _wake(self, number: int, frame: FrameType | None) -> None:
        """Do nothing: a signal that is ignored would not write to the wakeup descriptor."""
