"""The agent's own log, which is how the executor hears of a step; `docs/pods.md` says its lines."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress


class Console:
    """Writes lines to a descriptor, whole ones only; safe from any thread.

    If nobody takes them any more the agent goes on without: the log is in its file, and the end in
    the termination message. `started_at` is when the step's command was let go, None before;
    `log_size` how many bytes of its log were shown.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self.started_at: float | None = None
        self.log_size = 0
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def show(self, start: int, lines: Sequence[bytes]) -> None:
        """Show lines of the step's log as they are stored, the first of them from byte `start`."""
        shown: list[bytes] = []
        for line in lines:
            shown.append(b"= %d %b" % (start, line))
            start += len(line)
        self.log_size = start
        self._write(b"".join(shown))

    def started(self, at: float) -> None:
        """Tell that the step's command is let go; `at` is in seconds since the epoch."""
        self.started_at = at
        self._write(f"> started {json.dumps({'at': at})}\n".encode())

    def ended(self, record: str) -> None:
        """Tell the end; the record is JSON, in one line."""
        self._write(f"> ended {record}\n".encode())

    def say(self, text: str) -> None:
        """Say something to whoever looks into the Pod."""
        lines = text.encode("utf-8", "replace").splitlines()
        self._write(b"".join(b"! %b\n" % line for line in lines))

    def _write(self, data: bytes) -> None:
        with self._lock, suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]
