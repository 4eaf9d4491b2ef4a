"""What a snapshot is made of: a manifest of entries, and the packs that hold their bytes.

The canonical bytes of a manifest are two lines of JSON: a header (format, parents, packs) and its
entries. They are a function of the manifest alone, so its digest names it. `docs/workspace.md`
describes both lines; `runner.workspace.decoding` reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

FORMAT = 1
EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Entry:
    """A path in a snapshot.

    A file has `size` in bytes, `digest` (SHA-256 of its content), `modified_ns` since the epoch,
    and where its bytes are: they begin at `offset` of what `pack` holds when decompressed, and if
    that ends too early they go on at the beginning of each pack in `rest`. An empty file needs no
    pack. A symlink has its `target`. `oid` is the git object that the entry was read from, if any.
    """

    path: str
    kind: Kind = Kind.FILE
    executable: bool = False
    size: int = 0
    digest: str = ""
    modified_ns: int = 0
    target: str = ""
    pack: str = ""
    offset: int = 0
    oid: str = ""
    rest: tuple[str, ...] = ()

    @property
    def packs(self) -> tuple[str, ...]:
        """The packs that hold the file's bytes, in order."""
        return (self.pack, *self.rest) if self.pack else ()

    @property
    def value(self) -> tuple[Kind, bool, str, str]:
        """What makes two entries at one path the same: all but times and where the bytes are."""
        return (self.kind, self.executable, self.digest, self.target)


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack: `size` in the object store, `frames` in it, `length` when decompressed (bytes).

    `at` is the prefix of keys that it lies under, empty for the place that all packs share.
    """

    size: int
    frames: int
    length: int
    at: str = ""


@dataclass(frozen=True)
class Manifest:
    """A whole tree by path, the snapshots it came from, and exactly the packs it needs.

    The entries go by path. Every directory has an entry, the root has none.
    """

    entries: Mapping[str, Entry]
    parents: tuple[str, ...] = ()
    packs: Mapping[str, Pack] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """The name of the snapshot: SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(encode(self)).hexdigest()

    def files(self) -> Iterator[Entry]:
        """Yield the entries that are files, by path."""
        return (entry for entry in self.entries.values() if entry.kind is Kind.FILE)


EMPTY = Manifest({})


def build(
    entries: Iterable[Entry], parents: tuple[str, ...], packs: Mapping[str, Pack]
) -> Manifest:
    """Return the manifest of these entries, in order, with those of `packs` that they need."""
    ordered = {entry.path: entry for entry in sorted(entries, key=lambda entry: entry.path)}
    needed = {entry.pack for entry in ordered.values()}
    needed.update(pack for entry in ordered.values() for pack in entry.rest)
    needed.discard("")
    return Manifest(ordered, parents, {digest: packs[digest] for digest in sorted(needed)})


def encode(manifest: Manifest) -> bytes:
    """Return the canonical bytes of a manifest."""
    numbers = {digest: number for number, digest in enumerate(manifest.packs)}
    header = {
        "format": FORMAT,
        "parents": manifest.parents,
        "packs": [_pack_row(digest, pack) for digest, pack in manifest.packs.items()],
    }
    rows = [_row(entry, numbers) for entry in manifest.entries.values()]
    return f"{_dump(header)}\n{_dump(rows)}\n".encode()


def _pack_row(digest: str, pack: Pack) -> list[object]:
    """Return a pack as a row, with its prefix only if it has one."""
    row: list[object] = [digest, pack.size, pack.frames, pack.length]
    return [*row, pack.at] if pack.at else row


def _row(entry: Entry, numbers: Mapping[str, int]) -> list[object]:
    """Return an entry as a row; what is empty at its end is left out."""
    if entry.kind is Kind.FILE:
        letter = "x" if entry.executable else "f"
        place = numbers[entry.pack] if entry.pack else -1
        row = [letter, entry.path, entry.size, entry.digest, entry.modified_ns, place, entry.offset]
        if entry.rest:
            return [*row, entry.oid, [numbers[pack] for pack in entry.rest]]
        return [*row, entry.oid] if entry.oid else row
    if entry.kind is Kind.SYMLINK:
        row = ["l", entry.path, entry.target]
        return [*row, entry.oid] if entry.oid else row
    return ["d", entry.path]


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
