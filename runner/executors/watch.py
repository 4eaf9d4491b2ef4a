"""Waits for an attempt to be let go and to end, without asking again and again."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

from runner.agent import locks
from runner.agent.folder import Folder


class Watch:
    """A thread that waits on the locks of one attempt's agent, whoever started it.

    `news` is called when the step's command may run and when the agent is gone; `settle` just
    before the latter. A `process` that is this one's child is collected at its end.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        news: Callable[[], None],
        settle: Callable[[Watch], None],
        process: subprocess.Popen[bytes] | None,
    ) -> None:
        self._over = threading.Event()
        self._insisted = False
        self._folder = folder
        self._news = news
        self._settle = settle
        self._process = process

    def begin(self) -> None:
        """Start to wait; the thread does not keep the interpreter from ending."""
        self._thread("watch", self._run)

    def insist(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` if the agent is not gone in some seconds; asking twice changes nothing."""
        if not self._insisted:
            self._insisted = True
            self._thread("insist", lambda: self._outlast(seconds, act))

    def relent(self) -> None:
        """Do not act on what was insisted on any more."""
        self._over.set()

    def _run(self) -> None:
        try:
            locks.wait(self._folder.waiting)
            self._news()
            locks.wait(self._folder.alive)
            self._settle(self)
        finally:
            # Also when it could not be settled: a look will try again.
            self._over.set()
            self._news()
            if self._process is not None:
                self._process.wait()

    def _outlast(self, seconds: float, act: Callable[[], None]) -> None:
        if not self._over.wait(seconds):
            act()

    def _thread(self, what: str, target: Callable[[], None]) -> None:
        name = f"{what} {self._folder.path.name}"
        threading.Thread(target=target, name=name, daemon=True).start()
