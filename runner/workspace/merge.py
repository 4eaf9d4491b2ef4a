"""Merges what steps side by side left into the one workspace that the next step begins with.

Inputs are merged one after the other, each three-way and by path against what it has in common
with all before it. The later one wins where both changed a path differently. A change is one of
kind, content, target or executable bit; times are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from runner.workspace.manifest import Entry, Kind, Manifest, Pack, build
from runner.workspace.paths import directories_above
from runner.workspace.snapshots import Snapshots

Entries: TypeAlias = Mapping[str, Entry]

# Stands in a common base for a path on which even the ancestors disagree: it differs from
# everything, itself included.
_DISPUTED = "disputed"
_CROSSINGS = 50


@dataclass(frozen=True, order=True)
class Conflict:
    """A path that two inputs changed differently; what `later` left there was taken."""

    path: str
    earlier: str
    later: str


@dataclass(frozen=True)
class Merged:
    """The merge, which is always a valid tree, and its conflicts by path."""

    manifest: Manifest
    conflicts: tuple[Conflict, ...]


def merge(
    inputs: Sequence[tuple[str, Manifest]],
    base: Callable[[int], Entries],
    parents: tuple[str, ...] = (),
) -> Merged:
    """Return the merge of inputs given as (name, manifest), at least one, in their order.

    `base(number)` returns the entries that input `number` (from 1) has in common with those before
    it, as they were before they went apart. `parents` becomes the manifest's.
    """
    entries: Entries = inputs[0][1].entries
    packs: dict[str, Pack] = dict(inputs[0][1].packs)
    conflicts: list[Conflict] = []
    for number in range(1, len(inputs)):
        name, manifest = inputs[number]
        packs |= manifest.packs
        pair = _Pair(base(number), entries, manifest.entries)
        merged = pair.merge()
        conflicts += [
            Conflict(path, _owner(inputs[:number], lost, entries.get(lost)), name)
            for path, lost in pair.disputed.items()
        ]
        entries = merged
    return Merged(build(entries.values(), parents, packs), tuple(sorted(conflicts)))


def merge_snapshots(
    named: Sequence[tuple[str, str]], snapshots: Snapshots
) -> tuple[str, tuple[Conflict, ...]]:
    """Return the digest of the merge of snapshots given as (name, digest), and its conflicts.

    A snapshot that another one came from adds nothing to it and is left out; if one remains, it is
    the merge and nothing is stored. Raise `ManifestInvalid`, `SnapshotMissing`, `ObjectStoreError`.
    """
    remaining = _drop_ancestors(named, snapshots)
    if len(remaining) == 1:
        return remaining[0][1], ()
    digests = [digest for _, digest in remaining]
    ancestry = _Ancestry(snapshots)
    inputs = [(name, snapshots.load(digest)) for name, digest in remaining]
    merged = merge(
        inputs,
        lambda number: ancestry.base(digests[:number], digests[number]),
        tuple(sorted(digests)),
    )
    return snapshots.save(merged.manifest), merged.conflicts


@dataclass
class _Pair:
    """A three-way merge of two trees.

    `disputed` collects the paths that both changed, each with the path of ours that was lost.
    """

    base: Entries
    ours: Entries
    theirs: Entries
    disputed: dict[str, str] = field(default_factory=dict)
    _merged: dict[str, Entry] = field(default_factory=dict)

    def merge(self) -> dict[str, Entry]:
        """Return the merged entries, which form a valid tree."""
        for path in self.ours.keys() | self.theirs.keys():
            entry = self._choose(path)
            if entry is not None:
                self._merged[path] = entry
        for path in sorted(self._merged):
            if path in self._merged:
                self._root(path)
        return self._merged

    def _choose(self, path: str) -> Entry | None:
        """Return what is at a path after the merge, looked at by itself."""
        ours, theirs, base = (side.get(path) for side in (self.ours, self.theirs, self.base))
        if _same(ours, theirs) or _same(theirs, base):
            return ours
        if not _same(ours, base):
            self.disputed[path] = path
        return theirs

    def _root(self, path: str) -> None:
        """See that an entry has directories above it, or give it up.

        A directory that one side removed comes back for what the other side has put there. Where
        one side has a file or a symlink instead, the sides clash and theirs stays.
        """
        for above in directories_above(path):
            holder = self._merged.get(above)
            if holder is None:
                self._merged[above] = Entry(above, Kind.DIRECTORY)
            elif holder.kind is not Kind.DIRECTORY:
                if _same(self.theirs.get(above), holder):
                    self.disputed.setdefault(above, path)
                    del self._merged[path]
                    return
                self.disputed.setdefault(above, above)
                self._merged[above] = Entry(above, Kind.DIRECTORY)


def _same(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.digest != _DISPUTED and (one is other or one.value == other.value)


def _owner(inputs: Sequence[tuple[str, Manifest]], path: str, entry: Entry | None) -> str:
    """Return the name of the last input that has this at a path.

    One has: merging only ever takes what an input has, or makes directories that lead there.
    """
    owners = [name for name, manifest in inputs if _same(manifest.entries.get(path), entry)]
    return owners[-1] if owners else inputs[-1][0]


def _drop_ancestors(
    named: Sequence[tuple[str, str]], snapshots: Snapshots
) -> list[tuple[str, str]]:
    """Return the snapshots that no other one came from, each once, in their order."""
    names: dict[str, str] = {}
    for name, digest in named:
        names.setdefault(digest, name)
    older = snapshots.lineage(parent for digest in names for parent in snapshots.parents(digest))
    return [(name, digest) for digest, name in names.items() if digest not in older]


@dataclass
class _Ancestry:
    """What snapshots have in common; every answer is remembered, so that work stays bounded."""

    snapshots: Snapshots
    _answers: dict[tuple[tuple[str, ...], str], Entries] = field(default_factory=dict)

    def base(self, earlier: Sequence[str], later: str, depth: int = 0) -> Entries:
        """Return what a snapshot has in common with some earlier ones.

        After merges that crossed there are several nearest ancestors: then it is their own merge,
        and where that has a conflict, something that differs from everything. Ancestors of more
        than `_CROSSINGS` such merges in a row are not looked at.
        """
        key = (tuple(earlier), later)
        if key not in self._answers:
            self._answers[key] = self._base(earlier, later, depth)
        return self._answers[key]

    def _base(self, earlier: Sequence[str], later: str, depth: int) -> Entries:
        if depth > _CROSSINGS:
            return {}
        ancestors = self.snapshots.common_ancestors(earlier, [later])
        if not ancestors:
            return {}
        entries: Entries = self.snapshots.load(ancestors[0]).entries
        for number in range(1, len(ancestors)):
            older = self.base(ancestors[:number], ancestors[number], depth + 1)
            pair = _Pair(older, entries, self.snapshots.load(ancestors[number]).entries)
            merged = pair.merge()
            disputed = {path: Entry(path, digest=_DISPUTED) for path in pair.disputed}
            entries = merged | disputed
        return entries
