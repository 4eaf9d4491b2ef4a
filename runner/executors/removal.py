"""Removes folders that steps wrote to, which may not want to be removed."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a folder and all that is in it; raise `OSError` for what cannot be removed.

    Folders without write permission, as some package caches leave them, get it first.
    """
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    path.chmod(stat.S_IRWXU)
    # Top down: a folder is opened up before its turn comes to be listed.
    for parent, folders, _ in os.walk(path):
        for name in folders:
            _open_up(Path(parent, name))
    shutil.rmtree(path)


def _open_up(folder: Path) -> None:
    if not folder.is_symlink():
        folder.chmod(stat.S_IRWXU)
