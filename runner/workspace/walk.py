"""Looks through a working directory for what a snapshot can hold, and refuses the rest by name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.workspace.errors import Unreadable
from runner.workspace.paths import (
    PATH_LIMIT,
    directories_above,
    path_fault,
    target_fault,
    text_fault,
)
from runner.workspace.refusals import Refusals
from runner.workspace.tree import Tree

# What opening a path says when it is gone, or is something else by now.
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})

_ODD = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass(frozen=True)
class Sight:
    """What was seen, by path: files with their status, directories, symlinks with their targets."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    symlinks: dict[str, str] = field(default_factory=dict)


def walk(tree: Tree, refusals: Refusals) -> Sight:
    """Return all that is in a tree; raise `Unreadable` for a directory that cannot be read."""
    sight = Sight()
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            directory = tree.directory(path)
            with os.scandir(directory) as items:
                found = [(item.name, item.stat(follow_symlinks=False)) for item in items]
        except OSError as error:
            if path and error.errno in GONE:
                sight.directories.discard(path)
                continue
            raise Unreadable("read", path, error) from error
        for name, status in found:
            child = f"{path}/{name}" if path else name
            if _see(sight, refusals, child, status, directory):
                waiting.append(child)
    return sight


def look(tree: Tree, paths: Iterable[str], refusals: Refusals) -> Sight:
    """Return what is at these paths, and the directories that lead there.

    A path at which nothing is counts as removed. Of a directory only the directory itself is seen.
    Raise `Unreadable` for a path that cannot be looked at.
    """
    sight = Sight()
    for path in sorted({path.rstrip("/") for path in paths}):
        fault = path_fault(path)
        if fault:
            refusals.leave_out(path, fault)
            continue
        try:
            directory, name = tree.parent(path)
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno in GONE:
                continue
            raise Unreadable("look at", path, error) from error
        _see(sight, refusals, path, status, directory)
        if path in sight.files or path in sight.symlinks or path in sight.directories:
            sight.directories.update(directories_above(path))
    return sight


def _see(
    sight: Sight, refusals: Refusals, path: str, status: os.stat_result, directory: int
) -> bool:
    """Note what is at a path in an open directory; return whether it is a directory itself."""
    if not path.isascii() or len(path) > PATH_LIMIT:
        fault = text_fault(path, "path")
        if fault:
            refusals.leave_out(path, fault)
            return False
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        sight.files[path] = status
    elif kind == stat.S_IFDIR:
        sight.directories.add(path)
        return True
    elif kind == stat.S_IFLNK:
        _see_symlink(sight, refusals, path, directory)
    else:
        refusals.leave_out(path, _ODD.get(kind, "of no kind that a snapshot can hold"))
    return False


def _see_symlink(sight: Sight, refusals: Refusals, path: str, directory: int) -> None:
    try:
        target = os.readlink(path.rpartition("/")[2], dir_fd=directory)
    except OSError as error:
        if error.errno in GONE or error.errno == errno.EINVAL:
            return
        raise Unreadable("read", path, error) from error
    fault = target_fault(path, target)
    if fault:
        refusals.leave_out(path, f"{fault}: {target!r}")
    else:
        sight.symlinks[path] = target
