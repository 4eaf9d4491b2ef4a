"""Captures a working directory as a snapshot, reading only the files that may have changed."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.workspace.errors import Unreadable
from runner.workspace.index import Index, Known, signature
from runner.workspace.intake import Intake, Taken
from runner.workspace.manifest import Entry, Kind, Manifest, build
from runner.workspace.refusals import Refusals
from runner.workspace.snapshots import Snapshots
from runner.workspace.tree import Tree
from runner.workspace.walk import GONE, Sight, look, walk

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_LARGEST_TIME = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Captured:
    """A snapshot that was stored, and what it took.

    `index` says what the files were (it is empty where there was no working directory), `warnings`
    name what was left out, `stored_bytes` counts what new packs take in the object store.
    """

    digest: str
    manifest: Manifest
    index: Index
    warnings: tuple[str, ...]
    stored_bytes: int
    files_hashed: int


def capture(
    directory: Path,
    base: Manifest,
    index: Index,
    snapshots: Snapshots,
    parents: tuple[str, ...],
    paths: Iterable[str] | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Captured:
    """Store what is in a directory, or at the given paths in it, as a snapshot.

    Contents that `base` has are not stored again, files that `index` knows are not read again.
    `parents` are the snapshots it came from; if `base` is the only one and nothing has changed, the
    snapshot is `base` itself. Sockets, devices, symlinks that leave the directory and names that
    are not UTF-8 are left out with a warning. `clock` tells nanoseconds since the epoch.

    Raise `Unreadable` for what cannot be read, or `ObjectStoreError`.
    """
    taken_ns = clock()
    refusals = Refusals()
    with _opened(directory) as tree, snapshots.writer() as writer:
        sight = walk(tree, refusals) if paths is None else look(tree, paths, refusals)
        files = _Files(tree, base, index, Intake(writer, base), refusals)
        for path in sorted(sight.files):
            files.take(path, sight.files[path])
        packs = writer.finish()
        entries = [*files.entries(), *_others(sight, base)]
    manifest = build(entries, parents, {**base.packs, **packs})
    if parents == (base.digest,) and manifest.entries == base.entries:
        manifest = base
    else:
        snapshots.save(manifest)
    return Captured(
        digest=manifest.digest,
        manifest=manifest,
        index=Index(taken_ns, files.known),
        warnings=refusals.warnings(),
        stored_bytes=sum(pack.size for pack in packs.values()),
        files_hashed=files.hashed,
    )


@contextmanager
def _opened(directory: Path) -> Iterator[Tree]:
    try:
        tree = Tree(directory)
    except OSError as error:
        raise Unreadable("open", "", error) from error
    with tree:
        yield tree


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file of the snapshot whose place in the packs is not known yet."""

    digest: str
    size: int
    executable: bool
    modified_ns: int


@dataclass
class _Files:
    """The files of the snapshot so far."""

    tree: Tree
    base: Manifest
    index: Index
    intake: Intake
    refusals: Refusals
    known: dict[str, Known] = field(default_factory=dict)
    hashed: int = 0
    _done: list[Entry] = field(default_factory=list)
    _drafts: dict[str, _Draft] = field(default_factory=dict)

    def take(self, path: str, status: os.stat_result) -> None:
        """Take in one file that was seen with this status; raise `Unreadable`."""
        old = self.base.entries.get(path)
        digest = self.index.digest(path, status)
        if digest is not None and (
            (old is not None and old.digest == digest) or self.intake.knows(digest)
        ):
            self.known[path] = self.index.known[path]
            self._add(path, old, digest, status.st_size, status)
            return
        taken = self._read(path)
        if taken is not None:
            self.hashed += 1
            self.known[path] = Known(signature(taken.status), taken.digest)
            self._add(path, old, taken.digest, taken.size, taken.status)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of all files, once the packs are finished."""
        yield from self._done
        for path, draft in self._drafts.items():
            place = self.intake.place(draft.digest, draft.size)
            old = self.base.entries.get(path)
            yield Entry(
                path=path,
                executable=draft.executable,
                size=draft.size,
                digest=draft.digest,
                modified_ns=draft.modified_ns,
                pack=place.pack,
                offset=place.offset,
                oid=old.oid if old is not None and old.digest == draft.digest else "",
                rest=place.rest,
            )

    def _add(
        self, path: str, old: Entry | None, digest: str, size: int, status: os.stat_result
    ) -> None:
        executable = bool(status.st_mode & stat.S_IXUSR)
        modified = max(-_LARGEST_TIME, min(status.st_mtime_ns, _LARGEST_TIME))
        if old is not None and (old.digest, old.executable, old.modified_ns) == (
            digest,
            executable,
            modified,
        ):
            self._done.append(old)
        else:
            self._drafts[path] = _Draft(digest, size, executable, modified)

    def _read(self, path: str) -> Taken | None:
        """Read a file; one that is gone, or no file any more, is as good as never seen."""
        try:
            taken = self._take(path)
        except OSError as error:
            if error.errno in GONE or error.errno == errno.ENXIO:
                return None
            raise Unreadable("read", path, error) from error
        if taken is not None and not taken.settled:
            self.refusals.warn(f"{path!r} was still being written to: it is kept as it was read")
        return taken

    def _take(self, path: str) -> Taken | None:
        directory, name = self.tree.parent(path)
        descriptor = os.open(name, _OPEN, dir_fd=directory)
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return self.intake.take(descriptor) if is_file else None
        finally:
            os.close(descriptor)


def _others(sight: Sight, base: Manifest) -> Iterator[Entry]:
    """Yield the directories and the symlinks of the snapshot."""
    for path in sight.directories:
        yield Entry(path, Kind.DIRECTORY)
    for path, target in sight.symlinks.items():
        old = base.entries.get(path)
        yield (
            old
            if old is not None and old.target == target
            else Entry(path, Kind.SYMLINK, target=target)
        )
