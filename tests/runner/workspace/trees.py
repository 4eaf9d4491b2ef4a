"""Trees of files as plain values: to write into a folder, to read back, to make up and to change."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hypothesis import strategies as st

from runner.objects.base import ObjectStore
from runner.objects.memory import MemoryStore
from runner.workspace.capture import Captured, capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY, Manifest
from runner.workspace.snapshots import Snapshots

MODIFIED = 1_700_000_000_123_456_789


@dataclass(frozen=True)
class File:
    """A file with its content, executable bit and time."""

    data: bytes = b""
    executable: bool = False
    modified_ns: int = MODIFIED


@dataclass(frozen=True)
class Link:
    """A symlink."""

    target: str


@dataclass(frozen=True)
class Folder:
    """A directory."""


Node: TypeAlias = File | Link | Folder
TreeValue: TypeAlias = Mapping[str, Node]

FOLDER = Folder()


def write(root: Path, tree: TreeValue) -> None:
    """Make a folder hold exactly this tree, in which parents come before what is in them."""
    root.mkdir(exist_ok=True)
    for path, node in sorted(tree.items()):
        match node:
            case File():
                write_file(root / path, node)
            case Link():
                (root / path).symlink_to(node.target)
            case Folder():
                (root / path).mkdir()


def write_file(path: Path, node: File) -> None:
    """Write one file, in place if there is one."""
    path.write_bytes(node.data)
    path.chmod(0o755 if node.executable else 0o644)
    os.utime(path, ns=(node.modified_ns, node.modified_ns))


def read(root: Path) -> dict[str, Node]:
    """Return the tree that a folder holds."""
    tree: dict[str, Node] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            tree[path.relative_to(root).as_posix()] = _node(path)
    return tree


def _node(path: Path) -> Node:
    if path.is_symlink():
        return Link(str(path.readlink()))
    if path.is_dir():
        return FOLDER
    status = path.stat()
    return File(path.read_bytes(), bool(status.st_mode & 0o100), status.st_mtime_ns)


def modes(root: Path) -> dict[str, int]:
    """Return the permissions of all that is in a folder but symlinks."""
    found = (path for path in root.rglob("*") if not path.is_symlink())
    return {path.relative_to(root).as_posix(): path.stat().st_mode & 0o7777 for path in found}


def later() -> int:
    """A clock that is far enough ahead for every file to be trusted."""
    return time.time_ns() + 10_000_000_000


def store() -> Snapshots:
    """Snapshots in memory."""
    return Snapshots(MemoryStore())


def capture_all(
    root: Path, snapshots: Snapshots, base: Manifest = EMPTY, index: Index | None = None
) -> Captured:
    """Capture a folder whose snapshot came from `base`, unless that is empty."""
    parents = (base.digest,) if base.entries or base.parents else ()
    return capture(root, base, index or Index(), snapshots, parents, clock=later)


def snapshot_of(root: Path, tree: TreeValue, snapshots: Snapshots) -> Captured:
    """Write a tree into a new folder and capture it."""
    write(root, tree)
    return capture_all(root, snapshots)


def names_in(objects: ObjectStore) -> set[str]:
    """Return the keys of all objects in a store."""
    return {info.key for info in objects.list()}


_NAMES = st.sampled_from(["a", "b", "b-", "b.c", "d e", "é", "..f", "-", "g\n", "x" * 60])
_FILES = st.builds(
    File,
    st.binary(max_size=8) | st.sampled_from([b"", b"same", b"long" * 100_000]),
    st.booleans(),
    st.sampled_from([MODIFIED, 0, -1, 1, MODIFIED + 1]),
)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> dict[str, Node]:
    """Make up a tree, with names that come again in other trees."""
    tree: dict[str, Node] = {}
    _fill(draw, tree, "", depth)
    return tree


@st.composite
def changes(draw: st.DrawFn, tree: TreeValue) -> dict[str, Node]:
    """Make up a successor of a tree: some paths removed, some replaced, some added."""
    other = draw(trees())
    kept = {path: node for path, node in tree.items() if draw(st.integers(0, 3))}
    return valid({**kept, **other} if draw(st.booleans()) else {**other, **kept})


def valid(tree: TreeValue) -> dict[str, Node]:
    """Return a tree without what has no directory to be in."""
    result: dict[str, Node] = {}
    for path, node in sorted(tree.items()):
        above = path.rpartition("/")[0]
        if not above or result.get(above) == FOLDER:
            result[path] = node
    return result


def _fill(draw: st.DrawFn, tree: dict[str, Node], folder: str, depth: int) -> None:
    for name in draw(st.lists(_NAMES, unique=True, max_size=4)):
        path = f"{folder}/{name}" if folder else name
        kind = draw(st.sampled_from(["file", "file", "folder", "link"]))
        if kind == "folder":
            tree[path] = FOLDER
            if depth:
                _fill(draw, tree, path, depth - 1)
        elif kind == "link":
            up = draw(st.integers(0, path.count("/")))
            tree[path] = Link("../" * up + draw(_NAMES))
        else:
            tree[path] = draw(_FILES)
