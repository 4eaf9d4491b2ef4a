"""The control groups of the node's Pods: below one of the testbed's own, so that they can be told."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tests.testbed.layout import Layout
from tests.testbed.tools import TestbedError

_SECONDS = 10


def roots(layout: Layout) -> list[Path]:
    """Return the testbed's group in each hierarchy of this machine (one hierarchy in version 2)."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]
    return [place / layout.cgroup.lstrip("/") for place in places]


def make(layout: Layout) -> None:
    """Make the groups; the kubelet expects its root to be there, with every controller it uses."""
    for group in roots(layout):
        _hand_on_controllers(group.parent)
        group.mkdir(exist_ok=True)


def members(layout: Layout) -> set[int]:
    """Return the processes in the testbed's groups."""
    found: set[int] = set()
    for group in roots(layout):
        for file in group.rglob("cgroup.procs"):
            with suppress(OSError):
                found |= {int(pid) for pid in file.read_text().split()}
    return found


def remove(layout: Layout) -> None:
    """Remove the groups and those below; what has just been killed may need a moment to leave."""
    until = time.monotonic() + _SECONDS
    while left := [group for group in roots(layout) if not _removed(group)]:
        if time.monotonic() > until:
            message = f"these control groups are in use: {', '.join(map(str, left))}"
            raise TestbedError(message)
        time.sleep(0.02)


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()
    return not group.exists()


def _hand_on_controllers(parent: Path) -> None:
    """Give the groups below a version 2 hierarchy's root its controllers."""
    listed = parent / "cgroup.controllers"
    if listed.exists():
        for controller in listed.read_text().split():
            with suppress(OSError):
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
