"""Locks that end with their holder: `flock` on files, which the kernel lets go of however it dies.

A lock belongs to the open file, so a process that inherits the descriptor holds it too, and it is
free only when the last copy is closed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

# How often to see whether a lock is free that is waited for, but not for ever.
_TURN = 0.005


def take(path: Path, patience: float = 0.0) -> int | None:
    """Return a descriptor that holds a file's lock, None if somebody else does.

    Whoever holds it is given `patience` seconds to let go. The file is made if need be, its folder
    must be there.
    """
    until = time.monotonic() + patience
    while True:
        try:
            return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return None
        time.sleep(_TURN)


def obtain(path: Path) -> int:
    """Return a descriptor that holds a file's lock, as soon as nobody else does."""
    return _lock(path, fcntl.LOCK_EX)


def held(path: Path) -> bool:
    """Return whether somebody holds a file's lock; nobody holds that of a file that is not."""
    return not _share(path, fcntl.LOCK_NB)


def wait(path: Path) -> None:
    """Return when nobody holds a file's lock, at once for a file that is not there."""
    _share(path, 0)


def _lock(path: Path, how: int) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
        except BaseException:
            os.close(descriptor)
            raise
        if _still_there(descriptor, path):
            return descriptor
        os.close(descriptor)


def _share(path: Path, how: int) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | how)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _still_there(descriptor: int, path: Path) -> bool:
    """Return whether a file was not removed, or replaced, while its lock was waited for."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
