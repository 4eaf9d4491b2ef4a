"""Ends what a step runs when its agent was killed and can no longer do so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

from runner.agent.leftovers import signal_group

_PROC = Path("/proc")
_TURNS = 100
_TURN = 0.02


def kill(
    marker: str,
    group: int | None,
    *,
    proc: Path = _PROC,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Kill a process group, if one is given, and then whatever has `marker` in its environment.

    The marker (`NAME=value`) finds a step's processes wherever they went, and no others even if
    process ids came round; without `/proc` (macOS) it finds none. Return when none is left.
    """
    if group is not None:
        signal_group(group, SIGKILL)
    for _ in range(_TURNS):
        found = list(_marked(marker.encode(), proc))
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, SIGKILL)
        pause(_TURN)


def _marked(marker: bytes, proc: Path) -> Iterator[int]:
    """Yield the processes of this user that were started with a variable in their environment."""
    for folder in proc.glob("[0-9]*"):
        # Other users' processes cannot be read, and some end while they are looked at.
        with suppress(OSError):
            if marker in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
