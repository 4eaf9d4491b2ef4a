"""The Pod's annotations as the kubelet shows them in a file: what the executor tells the agent.

A line is `key="value"`, the value quoted as Go does it. The kubelet replaces the whole folder at
once (https://kubernetes.io/docs/concepts/storage/volumes/#downwardapi), so a file that was opened
never changes, and the path may lead to another one at any time.
"""

from __future__ import annotations

import os
import signal
import threading
import time

GO = 'hookline.dev/go="1"'
STOP = 'hookline.dev/stop="1"'

_GO_TURN = 0.02
_STOP_TURN = 0.1


class Annotations:
    """What the file says; it is read only when it is not the one that was read last."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._lines: frozenset[str] = frozenset()

    def say(self, line: str) -> bool:
        """Return whether there is such a line now."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_dev, status.st_ino, status.st_mtime_ns)
                if seen != self._seen:
                    self._lines = frozenset(file.read().splitlines())
                    self._seen = seen
        except OSError:
            # The volume is being set up, or the Pod taken down; what was said stays said.
            pass
        return line in self._lines


def wait_for_go(annotations: Annotations) -> bool:
    """Return True when the attempt may begin, False when it is to end before that."""
    while True:
        go = annotations.say(GO)
        if annotations.say(STOP):
            return False
        if go:
            return True
        time.sleep(_GO_TURN)


def watch_for_stop(annotations: Annotations) -> None:
    """From now on, turn the wish that the attempt ends into a SIGTERM to this process."""

    def watch() -> None:
        while not annotations.say(STOP):
            time.sleep(_STOP_TURN)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stop", daemon=True).start()
