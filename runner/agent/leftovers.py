"""Ends the processes that a step left running.

A step's command leads a session of its own, so its process group ends with one signal. What moved
to another session is found on Linux, where the agent takes the place of a lost parent
(`PR_SET_CHILD_SUBREAPER`, prctl(2)); elsewhere it escapes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def adopt_orphans() -> None:
    """Make this process the parent of those below it whose own parent ends, where that exists."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; one that has ended is fine."""
    # macOS answers EPERM for a group of which only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def group_lives(group: int) -> bool:
    """Return whether a process group has a member, a zombie included."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_descendants(root: int) -> None:
    """Send SIGKILL to every process below `root` that can be found; none are off Linux."""
    for process in list(descendants(root)):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def descendants(root: int, proc: Path = _PROC) -> Iterator[int]:
    """Yield the processes below `root`, parents before their children, as `/proc` shows them."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            # proc(5): "pid (name) state parent ..."; the name may hold spaces and brackets.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            children[int(fields[1])].append(int(folder.name))
    waiting = [root]
    while waiting:
        found = children.pop(waiting.pop(), [])
        yield from found
        waiting.extend(found)
