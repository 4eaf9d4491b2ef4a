"""Reads the canonical bytes of a manifest, which may come from anybody, and refuses what is odd."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard

from runner.objects.base import ObjectStoreError, check_key
from runner.workspace.errors import ManifestInvalid
from runner.workspace.manifest import EMPTY_DIGEST, FORMAT, Entry, Kind, Manifest, Pack
from runner.workspace.paths import path_fault, target_fault

_DIGEST = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})?")
# The parents of a snapshot, and its packs by digest.
Header: TypeAlias = tuple[tuple[str, ...], Mapping[str, Pack]]

_LARGEST = 2**63 - 1
# What is left of a key's 1024 characters before `/packs/<digest>`.
_LONGEST_PREFIX = 900


def decode(raw: bytes) -> Manifest:
    """Return the manifest that these bytes are; raise `ManifestInvalid` for any rule they break."""
    head, _, body = raw.partition(b"\n")
    parents, packs = decode_header(head)
    rows = _parse(body)
    if not _is_list(rows):
        raise ManifestInvalid("the entries are not a list")
    reader = _Rows(list(packs), packs)
    for row in rows:
        reader.add(row)
    unneeded = packs.keys() - reader.needed
    if unneeded:
        raise ManifestInvalid(f"no entry needs the pack {min(unneeded)}")
    manifest = Manifest(reader.entries, parents, packs)
    # The digest is known here for the price of hashing; `cached_property` would encode anew.
    vars(manifest)["digest"] = hashlib.sha256(raw).hexdigest()
    return manifest


def decode_header(head: bytes) -> Header:
    """Return the parents and the packs from a manifest's first line; raise `ManifestInvalid`."""
    header = _parse(head)
    if not isinstance(header, dict) or list(header) != ["format", "parents", "packs"]:
        raise ManifestInvalid("the header is not that of a manifest")
    if type(header["format"]) is not int or header["format"] != FORMAT:
        raise ManifestInvalid(
            f"format {header['format']!r} is unknown, {FORMAT} is known; update Hookline here"
        )
    parents, packs = header["parents"], header["packs"]
    if not _is_list(parents) or not _is_list(packs):
        raise ManifestInvalid("parents and packs must be lists")
    return tuple(_digest(parent, "a parent") for parent in parents), _packs(packs)


def _packs(rows: Sequence[object]) -> dict[str, Pack]:
    """Return the packs by digest, which must be in order and not twice."""
    packs: dict[str, Pack] = {}
    before = ""
    for row in rows:
        if not _is_list(row) or not 4 <= len(row) <= 5:
            raise ManifestInvalid("a pack must be digest, size, frames, length, and perhaps where")
        digest = _digest(row[0], "a pack")
        if digest <= before:
            raise ManifestInvalid(f"pack {digest} is there twice or out of order")
        size, frames, length = (_count(number, f"pack {digest}") for number in row[1:4])
        packs[digest] = Pack(size, frames, length, _prefix(row[4], digest) if row[4:] else "")
        before = digest
    return packs


@dataclass
class _Rows:
    """The entries read so far; every row is held against those before it."""

    numbered: Sequence[str]
    packs: Mapping[str, Pack]
    entries: dict[str, Entry] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=lambda: {""})
    before: str = ""

    def add(self, row: object) -> None:
        """Take one row; raise `ManifestInvalid` if it breaks a rule."""
        if not _is_list(row) or len(row) < 2 or type(row[1]) is not str:
            raise ManifestInvalid("an entry must begin with its kind and its path")
        path = self._path(row[1])
        match row[0]:
            case "f" | "x":
                entry = self._file(path, row)
            case "d":
                _expect(len(row) == 2, path, "a directory has a path only")
                entry = Entry(path, Kind.DIRECTORY)
                self.directories.add(path)
            case "l":
                entry = _symlink(path, row)
            case _:
                raise ManifestInvalid(f"{path!r} has the unknown kind {row[0]!r}")
        self.entries[path] = entry
        self.before = path

    def _path(self, path: str) -> str:
        fault = path_fault(path)
        if fault:
            raise ManifestInvalid(f"{path!r}: {fault}")
        if path <= self.before:
            raise ManifestInvalid(f"{path!r} is there twice or out of order")
        parent = path.rpartition("/")[0]
        if parent not in self.directories:
            raise ManifestInvalid(f"{path!r} is below {parent!r}, which is no directory")
        return path

    def _file(self, path: str, row: Sequence[object]) -> Entry:
        _expect(7 <= len(row) <= 9, path, "a file has seven to nine fields")
        size, offset = _count(row[2], path), _count(row[6], path)
        modified, oid = row[4], row[7] if len(row) > 7 else ""
        if type(modified) is not int or not -_LARGEST - 1 <= modified <= _LARGEST:
            raise ManifestInvalid(f"{path!r}: {modified!r} is no time in nanoseconds")
        rest = self._rest(path, row[8]) if len(row) > 8 else ()
        entry = Entry(
            path=path,
            executable=row[0] == "x",
            size=size,
            digest=_digest(row[3], repr(path)),
            modified_ns=modified,
            pack=self._pack(path, row[5]) if row[5] != -1 else "",
            offset=offset,
            oid=_oid(path, oid),
            rest=rest,
        )
        _expect(len(row) != 8 or entry.oid != "", path, "an empty object id is left out")
        self._check_place(entry)
        return entry

    def _pack(self, path: str, number: object) -> str:
        if type(number) is not int or not 0 <= number < len(self.numbered):
            raise ManifestInvalid(f"{path!r} is in pack number {number!r}, which is not listed")
        digest = self.numbered[number]
        self.needed.add(digest)
        return digest

    def _rest(self, path: str, numbers: object) -> tuple[str, ...]:
        if not _is_list(numbers) or not numbers:
            raise ManifestInvalid(f"{path!r} goes on in a list of packs that is none")
        return tuple(self._pack(path, number) for number in numbers)

    def _check_place(self, entry: Entry) -> None:
        """Check that a file's bytes lie within its packs, and that it needs each of them."""
        if not entry.pack:
            empty = entry.size == 0 and entry.digest == EMPTY_DIGEST
            _expect(empty and not entry.offset and not entry.rest, entry.path, "no pack holds it")
            return
        first, *rest = (self.packs[pack].length for pack in entry.packs)
        _expect(entry.size > 0, entry.path, "an empty file needs no pack")
        _expect(entry.offset < first, entry.path, "it begins behind the end of its pack")
        missing = entry.size - (first - entry.offset)
        for length in rest:
            _expect(missing > 0, entry.path, "it ends before the last of its packs")
            missing -= length
        _expect(missing <= 0, entry.path, "it ends behind the end of its packs")


def _symlink(path: str, row: Sequence[object]) -> Entry:
    _expect(3 <= len(row) <= 4, path, "a symlink has three or four fields")
    target, oid = row[2], row[3] if len(row) > 3 else ""
    if type(target) is not str:
        raise ManifestInvalid(f"{path!r}: the target of a symlink must be a text")
    fault = target_fault(path, target)
    _expect(not fault, path, fault)
    _expect(len(row) != 4 or oid != "", path, "an empty object id is left out")
    return Entry(path, Kind.SYMLINK, target=target, oid=_oid(path, oid))


def _parse(text: bytes) -> object:
    """Return what a line of JSON says; anything that upsets the parser is refused."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"a line is not JSON: {error}") from error
    return parsed


def _prefix(value: object, pack: str) -> str:
    """Return the prefix of keys that a pack lies under, which is left out if it is empty."""
    if type(value) is str and len(value) <= _LONGEST_PREFIX:
        with suppress(ObjectStoreError):
            return check_key(value)
    raise ManifestInvalid(f"pack {pack}: {value!r} is no prefix of object keys")


def _expect(truth: bool, path: str, rule: str) -> None:
    if not truth:
        raise ManifestInvalid(f"{path!r}: {rule}")


def _is_list(value: object) -> TypeGuard[list[object]]:
    return type(value) is list


def _digest(value: object, what: str) -> str:
    if type(value) is not str or not _DIGEST.fullmatch(value):
        raise ManifestInvalid(f"{what}: {value!r} is no SHA-256 digest")
    return value


def _oid(path: str, value: object) -> str:
    if type(value) is not str or not _OID.fullmatch(value):
        raise ManifestInvalid(f"{path!r}: {value!r} is no git object id")
    return value


def _count(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ManifestInvalid(f"{what}: {value!r} is no size or offset")
    return value
