"""Ends the agents that a test left behind: they outlive who started them, as they should."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from runner.agent import locks
from runner.agent.folder import Folder
from runner.executors import orphans

GRACE = 15.0
"""Seconds for an agent to end by itself what it runs: more than the grace of the steps of tests."""


def end_agents(root: Path, grace: float = GRACE) -> list[Path]:
    """End every agent whose attempt lies below a folder, `RUN/ATTEMPT`, and what it runs.

    Returns the folders of those that lived. They are asked first, and killed after `grace` seconds.
    """
    living = [path.parent for path in root.glob("*/*/alive") if locks.held(path)]
    for path in living:
        Folder(path).stop.touch()
        _signal(Folder(path), signal.SIGTERM)
    for path in living:
        _outlast(Folder(path), grace)
    return living


def _outlast(folder: Folder, grace: float) -> None:
    held = locks.take(folder.alive, grace)
    if held is None:
        _signal(folder, signal.SIGKILL)
        held = locks.obtain(folder.alive)
        orphans.kill(f"CI_OUTPUT={folder.output}", folder.read_group())
    os.close(held)


def _signal(folder: Folder, number: signal.Signals) -> None:
    """Signal an agent; one that has not told its id yet will find the `stop` file."""
    process = folder.read_pid()
    if process is not None:
        with suppress(ProcessLookupError):
            os.kill(process, number)
