"""Ctrl-C during a local run: the first asks it to end, the second does not wait for that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Interrupts:
    """Counts what came; `cancel` is called once, from a thread of its own.

    A signal may arrive while this very thread holds a lock that `cancel` needs.
    """

    cancel: Callable[[], None]
    count: int = 0

    def take(self, _number: int = 0, _frame: object = None) -> None:
        """Take one signal; raise KeyboardInterrupt for the second."""
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        threading.Thread(target=self.cancel, name="hookline-cancel").start()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take the signals of this process while the context lasts; only in its main thread."""
        before = {number: signal.signal(number, self.take) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
