"""The workspaces of a run: folders in which its steps run, one attempt at a time in each.

A workspace is a numbered folder that holds `tree` (what the step sees), `index` (what is known of
its files), `lock` (held by the agent that uses it) and `holds` (the digest of the snapshot it was
left at). Steps that follow one another get the same folder, so a path that a tool wrote down in
one step is good in the next; steps side by side get one each.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runner.agent import locks


class Workspace:
    """A workspace that this process holds until it lets go of it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.tree = path / "tree"
        self.index = path / "index"
        self._holds = path / "holds"
        self._lock = lock

    def release(self, snapshot: str | None) -> None:
        """Let others have it; `snapshot` is what its tree and index agree with, None for nothing.

        One that agrees with nothing is not used again: what was left running may write to it.
        """
        if snapshot is not None:
            # Without its mark a workspace is only not used again, which is no fault of the step.
            with suppress(OSError):
                self._holds.write_text(snapshot)
        os.close(self._lock)


def take(folder: Path, wanted: Sequence[str]) -> Workspace:
    """Return an idle workspace of a run, or a new one.

    One that holds the first of the `wanted` snapshots is best, then the second and so on, then
    any. Raise `OSError` if none can be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in _idle(folder, wanted):
        if workspace := _claim(path):
            return workspace
    number = 1
    while True:
        path = folder / str(number)
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return Workspace(path, locks.obtain(path / "lock"))


def _idle(folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Return the workspaces that were left whole, the best first, then those of lower number."""
    ranked: list[tuple[int, int, Path]] = []
    for path in folder.iterdir():
        held = _read(path / "holds")
        if held is not None:
            rank = wanted.index(held) if held in wanted else len(wanted)
            ranked.append((rank, int(path.name), path))
    return [path for _, _, path in sorted(ranked)]


def _claim(path: Path) -> Workspace | None:
    """Return a workspace if nobody else has it, marked as agreeing with nothing."""
    try:
        lock = locks.take(path / "lock")
    except FileNotFoundError:
        return None
    if lock is None:
        return None
    try:
        (path / "holds").unlink()
    except FileNotFoundError:
        os.close(lock)
        return None
    return Workspace(path, lock)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
