"""Remembers which content each file of a working directory had, so that it need not be read again.

A file is known again by its stat signature. Times have a granularity, so a file that changed
right before it was looked at may change once more and keep its signature: such an entry is
remembered but not trusted, and the file is read again.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

_MAGIC = b"hookline index 1\n"
_COUNT = struct.Struct("<qQ")
_ROW = struct.Struct("<QQQqqI32s")
# Linux keeps file times by a clock that ticks every 10 ms or less.
_TICK_NS = 20_000_000
# A time in whole seconds comes from a file system that keeps no more; FAT keeps every other.
_SECOND_NS = 1_000_000_000
_COARSE_TICK_NS = 2 * _SECOND_NS

Signature: TypeAlias = tuple[int, int, int, int, int, int]


class Known(NamedTuple):
    """What is known of a file: (device, inode, size, mtime, ctime, mode) and its digest."""

    signature: Signature
    digest: str


def signature(status: os.stat_result) -> Signature:
    """Return what changes whenever a file does: device, inode, size, mtime, ctime and mode."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_mode,
    )


@dataclass(frozen=True)
class Index:
    """Files by path; `taken_ns` is a time (since the epoch) at which what is known was true.

    A change before that time, by more than the clock's granularity, has left its mark in ctime.
    """

    taken_ns: int = 0
    known: Mapping[str, Known] = field(default_factory=dict)

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """Return the digest of the file that has this status, None if it must be read."""
        known = self.known.get(path)
        if known is None or known.signature != signature(status):
            return None
        changed = status.st_ctime_ns
        tick = _TICK_NS if changed % _SECOND_NS else _COARSE_TICK_NS
        return known.digest if changed + tick < self.taken_ns else None

    def save(self, path: Path) -> None:
        """Write the index to a file outside the working directory, at once or not at all."""
        rows, paths = [], []
        for name, known in self.known.items():
            try:
                rows.append(_ROW.pack(*known.signature, bytes.fromhex(known.digest)))
            except struct.error:
                continue  # an odd number of some file system; the file will be read again
            paths.append(name.encode())
        data = _COUNT.pack(self.taken_ns, len(rows)) + b"".join(rows) + b"\0".join(paths)
        temporary = path.with_name(f"{path.name}~{os.getpid()}")
        temporary.write_bytes(_MAGIC + hashlib.sha256(data).digest() + data)
        temporary.replace(path)

    @staticmethod
    def load(path: Path) -> Index:
        """Read an index; one that is missing, damaged or of another kind is as good as empty."""
        try:
            stored = path.read_bytes()
        except OSError:
            return Index()
        start = len(_MAGIC) + 32
        data = stored[start:]
        if stored[:start] != _MAGIC + hashlib.sha256(data).digest():
            return Index()
        return _unpack(data)


def _unpack(data: bytes) -> Index:
    """Return the index that `save` packed; the checksum has vouched for the form."""
    taken_ns, count = _COUNT.unpack_from(data)
    middle = _COUNT.size + count * _ROW.size
    rows = _ROW.iter_unpack(data[_COUNT.size : middle])
    paths = data[middle:].decode().split("\0")
    known = {
        path: Known(row[:6], row[6].hex()) for path, row in zip(paths[:count], rows, strict=True)
    }
    return Index(taken_ns, known)
