"""Any tree comes back as it was, however it gets there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.objects.filesystem import FilesystemStore
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots
from tests.runner.workspace.trees import (
    File,
    Node,
    TreeValue,
    changes,
    modes,
    read,
    snapshot_of,
    store,
    trees,
    write,
    write_file,
)

SETTINGS = settings(max_examples=60, deadline=None)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@SETTINGS
@given(trees())
def test_capture_restore_capture_gives_the_same_snapshot(tree: TreeValue) -> None:
    with folder() as root:
        snapshots = store()
        first = snapshot_of(root / "w", tree, snapshots)
        assert first.warnings == ()
        index = restore(first.manifest, root / "copy", Index(), Snapshots(snapshots.objects))
        assert read(root / "copy") == tree
        for known in (index, Index()):
            second = capture(root / "copy", first.manifest, known, snapshots, (first.digest,))
            assert second.digest == first.digest
        apart = capture(root / "copy", EMPTY, index, store(), ())
        assert apart.digest == first.digest


@SETTINGS
@given(st.data())
def test_restoring_over_anything_equals_restoring_afresh(data: st.DataObject) -> None:
    tree = data.draw(trees())
    other = data.draw(trees() | changes(tree))
    with folder() as root:
        snapshots = store()
        wanted = snapshot_of(root / "w", tree, snapshots)
        before = snapshot_of(root / "x", other, snapshots)
        index = restore(before.manifest, root / "copy", Index(), snapshots)
        if data.draw(st.booleans()):
            index = Index()
        after = restore(wanted.manifest, root / "copy", index, snapshots)
        restore(wanted.manifest, root / "fresh", Index(), snapshots)
        assert read(root / "copy") == read(root / "fresh") == tree
        assert modes(root / "copy") == modes(root / "fresh")
        assert set(after.known) == {entry.path for entry in wanted.manifest.files()}


@SETTINGS
@given(st.data())
def test_every_change_between_captures_is_found(data: st.DataObject) -> None:
    tree: dict[str, Node] = data.draw(trees())
    with folder() as root:
        snapshots = Snapshots(FilesystemStore(root / "store", durable=False))
        last = snapshot_of(root / "w", tree, snapshots)
        index = restore(last.manifest, root / "copy", Index(), snapshots)
        for _ in range(data.draw(st.integers(1, 3))):
            tree = data.draw(changes(tree))
            overwrite(root / "copy", tree)
            last = capture(root / "copy", last.manifest, index, snapshots, (last.digest,))
            index = last.index
        restore(last.manifest, root / "fresh", Index(), Snapshots(snapshots.objects))
        assert read(root / "fresh") == tree


def overwrite(root: Path, tree: TreeValue) -> None:
    """Make a folder hold another tree, writing files in place where there are some."""
    found = read(root)
    for path, node in sorted(found.items(), reverse=True):
        both_files = isinstance(node, File) and isinstance(tree.get(path), File)
        if tree.get(path) != node and not both_files:
            remove(root / path)
            del found[path]
    for path, node in sorted(tree.items()):
        if isinstance(node, File):
            write_file(root / path, node)
        elif path not in found:
            write(root, {path: node})


def remove(path: Path) -> None:
    """Remove a file, a symlink, or a directory that is empty by now."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
