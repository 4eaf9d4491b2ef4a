"""The first snapshot of a run: the source at a commit, read from git without a checkout."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.workspace.capture import Captured
from runner.workspace.errors import SourceIncomplete
from runner.workspace.index import Index
from runner.workspace.intake import Intake
from runner.workspace.manifest import EMPTY, Entry, Kind, Manifest, build
from runner.workspace.paths import directories_above, path_fault, target_fault
from runner.workspace.refusals import Refusals
from runner.workspace.snapshots import Snapshots

_GITLINK = 0o160000


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry of a git tree: its mode as git has it, its object, and a blob's size in bytes."""

    path: str
    mode: int
    oid: str
    size: int | None


def capture_source(
    tree: Iterable[TreeEntry],
    read: Callable[[Sequence[str]], Iterator[tuple[str, bytes]]],
    previous: Manifest | None,
    snapshots: Snapshots,
    modified_ns: int,
) -> Captured:
    """Store the blobs of a git tree as a snapshot that came from no other.

    `read` yields the bytes of each object id that it is asked for; ids that stand in `previous` are
    not asked for. All files get the time `modified_ns` (since the epoch). Submodules, symlinks that
    leave the tree and paths that no snapshot can hold are left out with a warning.

    Raise `SourceIncomplete`, `ObjectStoreError`, or what `read` raises.
    """
    base = previous or EMPTY
    sorter = _Sorter()
    for item in tree:
        sorter.add(item)
    with snapshots.writer() as writer:
        blobs = _Blobs(Intake(writer, base), base)
        read_count = blobs.fetch(sorter.files, sorter.symlinks, read)
        packs = writer.finish()
        entries = [
            *(Entry(path, Kind.DIRECTORY) for path in sorter.directories()),
            *(blobs.file(item, modified_ns) for item in sorter.files),
            *blobs.links(sorter.symlinks, sorter.refusals),
        ]
    manifest = build(entries, (), {**base.packs, **packs})
    return Captured(
        digest=snapshots.save(manifest),
        manifest=manifest,
        index=Index(),
        warnings=sorter.refusals.warnings(),
        stored_bytes=sum(pack.size for pack in packs.values()),
        files_hashed=read_count,
    )


@dataclass
class _Sorter:
    """Tells apart what a git tree holds, and refuses by name what no snapshot can hold."""

    files: list[TreeEntry] = field(default_factory=list)
    symlinks: list[TreeEntry] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    _is_directory: dict[str, bool] = field(default_factory=dict)

    def add(self, item: TreeEntry) -> None:
        """Take in one entry of the tree."""
        kind = stat.S_IFMT(item.mode)
        fault = path_fault(item.path) or self._fault(item, kind)
        if fault:
            self.refusals.leave_out(item.path, fault)
            return
        for above in directories_above(item.path):
            self._is_directory[above] = True
        self._is_directory[item.path] = kind == stat.S_IFDIR
        if kind == stat.S_IFREG:
            self.files.append(item)
        elif kind == stat.S_IFLNK:
            self.symlinks.append(item)

    def directories(self) -> Iterator[str]:
        """Yield the paths of all directories."""
        return (path for path, truth in self._is_directory.items() if truth)

    def _fault(self, item: TreeEntry, kind: int) -> str:
        if kind == _GITLINK:
            return "a submodule, which is not fetched"
        if kind not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
            return f"of the unknown mode {item.mode:06o}"
        if kind == stat.S_IFDIR and self._is_directory.get(item.path):
            return ""
        if item.path in self._is_directory:
            return "the tree has something else at its path"
        if any(self._is_directory.get(above) is False for above in directories_above(item.path)):
            return "the tree has a file where its directory would be"
        return ""


@dataclass
class _Blobs:
    """The contents of git objects: those that the last source had, and those that are read now."""

    intake: Intake
    base: Manifest
    _files: dict[str, tuple[str, int]] = field(default_factory=dict)
    _targets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.base.entries.values():
            if entry.oid and entry.kind is Kind.FILE:
                self._files[entry.oid] = (entry.digest, entry.size)
            elif entry.oid:
                self._targets[entry.oid] = entry.target

    def fetch(
        self,
        files: Sequence[TreeEntry],
        symlinks: Sequence[TreeEntry],
        read: Callable[[Sequence[str]], Iterator[tuple[str, bytes]]],
    ) -> int:
        """Read the objects that are not known; return how many those are."""
        wanted = _named(files, self._files)
        aims = _named(symlinks, self._targets)
        both = wanted | aims
        for oid, data in read(list(both)) if both else ():
            if oid in wanted:
                self._files[oid] = (self.intake.take_bytes(data), len(data))
            if oid in aims:
                self._targets[oid] = data.decode("utf-8", "surrogateescape")
        missing = (wanted.keys() - self._files.keys()) | (aims.keys() - self._targets.keys())
        if missing:
            oid = min(missing)
            raise SourceIncomplete(oid, both[oid])
        return len(both)

    def file(self, item: TreeEntry, modified_ns: int) -> Entry:
        """Return the entry of a file, once the packs are finished."""
        digest, size = self._files[item.oid]
        place = self.intake.place(digest, size)
        return Entry(
            path=item.path,
            executable=bool(item.mode & stat.S_IXUSR),
            size=size,
            digest=digest,
            modified_ns=modified_ns,
            pack=place.pack,
            offset=place.offset,
            oid=item.oid,
            rest=place.rest,
        )

    def links(self, items: Iterable[TreeEntry], refusals: Refusals) -> Iterator[Entry]:
        """Yield the entries of the symlinks that stay inside."""
        for item in items:
            target = self._targets[item.oid]
            fault = target_fault(item.path, target)
            if fault:
                refusals.leave_out(item.path, f"{fault}: {target!r}")
            else:
                yield Entry(item.path, Kind.SYMLINK, target=target, oid=item.oid)


def _named(items: Iterable[TreeEntry], known: Mapping[str, object]) -> dict[str, str]:
    """Return the objects of these entries that are not known, each with a path that it is at."""
    return {item.oid: item.path for item in items if item.oid not in known}
