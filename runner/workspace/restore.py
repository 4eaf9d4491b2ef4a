"""Restores a snapshot: makes a working directory equal to it, and fetches only what is missing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner.workspace.contents import Contents
from runner.workspace.errors import Unwritable
from runner.workspace.folding import check_names
from runner.workspace.index import Index, Known, signature
from runner.workspace.manifest import Entry, Kind, Manifest
from runner.workspace.snapshots import Snapshots
from runner.workspace.staging import Staging
from runner.workspace.survey import Survey
from runner.workspace.tree import Tree

# What one thread fetches and writes before it takes on more: bytes of files, and files.
_BATCH_BYTES = 8 << 20
_BATCH_FILES = 1000
_THREADS = 4


def restore(
    manifest: Manifest,
    directory: Path,
    index: Index,
    snapshots: Snapshots,
    clock: Callable[[], int] = time.time_ns,
) -> Index:
    """Make a directory (which is made if there is none) equal to a snapshot; return its new index.

    Files that `index` knows are not touched, others not replaced if they have the right content;
    what does not belong is removed. Nothing outside is ever touched, whatever the directory holds.
    Nobody else may change the directory meanwhile. After an error it holds a part of the snapshot
    and perhaps of what was there, but no file with a part of its content. `clock` tells
    nanoseconds since the epoch.

    Raise `PackMissing`, `PackDamaged`, `Unwritable`, `NamesClash` or `ObjectStoreError`.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with Tree(directory) as tree:
            root = tree.directory("")
            with Staging(root, manifest.entries) as staging:
                check_names(manifest.entries, staging.folds)
                survey = Survey(tree, staging, manifest.entries, index)
                survey.run()
                missing = [
                    entry for path, entry in manifest.entries.items() if path not in survey.present
                ]
                _make_directories(tree, missing)
                contents = snapshots.contents(manifest)
                known = _Files(tree, staging, contents).write(missing)
                _make_symlinks(tree, missing)
    except OSError as error:
        raise Unwritable("set up", "", error) from error
    return Index(clock(), survey.known | known)


def _make_directories(tree: Tree, missing: Iterable[Entry]) -> None:
    for entry in missing:
        if entry.kind is Kind.DIRECTORY:
            try:
                parent, name = tree.parent(entry.path)
                os.mkdir(name, 0o777, dir_fd=parent)
            except OSError as error:
                raise Unwritable("make", entry.path, error) from error


def _make_symlinks(tree: Tree, missing: Iterable[Entry]) -> None:
    """Make the symlinks, last of all: until then there is nothing that could lead astray."""
    for entry in missing:
        if entry.kind is Kind.SYMLINK:
            try:
                parent, name = tree.parent(entry.path)
                os.symlink(entry.target, name, dir_fd=parent)
            except OSError as error:
                raise Unwritable("make", entry.path, error) from error


class _Files:
    """Writes files whose directories are there."""

    def __init__(self, tree: Tree, staging: Staging, contents: Contents) -> None:
        self._tree = tree
        self._staging = staging
        self._contents = contents

    def write(self, missing: Iterable[Entry]) -> dict[str, Known]:
        """Write those entries that are files, on several threads if there is enough to do."""
        files = [entry for entry in missing if entry.kind is Kind.FILE]
        files.sort(key=lambda entry: (entry.pack, entry.offset))
        batches = list(_batches(files))
        known: dict[str, Known] = {}
        if len(batches) == 1:
            return self._write_batch(batches[0])
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="restore")
        try:
            for written in pool.map(self._write_batch, batches):
                known |= written
        finally:
            pool.shutdown(cancel_futures=True)
        return known

    def _write_batch(self, entries: Sequence[Entry]) -> dict[str, Known]:
        with self._tree.twin() as tree:
            return {
                entry.path: self._write_file(tree, entry, parts)
                for entry, parts in self._contents.read_all(entries)
            }

    def _write_file(self, tree: Tree, entry: Entry, parts: Iterator[bytes]) -> Known:
        """Write a file beside the tree, and let it have its name once all of it is right."""
        try:
            descriptor, name = self._staging.create(executable=entry.executable)
            try:
                for part in parts:
                    _write(descriptor, part)
                os.utime(descriptor, ns=(entry.modified_ns, entry.modified_ns))
                directory, final = tree.parent(entry.path)
                self._staging.publish(name, directory, final)
                return Known(signature(os.fstat(descriptor)), entry.digest)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Unwritable("write", entry.path, error) from error


def _batches(files: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Split files, which go by pack, into portions of one pack each."""
    batch: list[Entry] = []
    size = 0
    for entry in files:
        full = size + entry.size > _BATCH_BYTES or len(batch) == _BATCH_FILES
        if batch and (full or entry.pack != batch[0].pack):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
