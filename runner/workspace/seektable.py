"""The seek table at the end of a pack, which tells where each of its zstd frames begins.

The layout is that of the zstd project's seekable format, version 0.1.0
(`contrib/seekable_format/zstd_seekable_compression_format.md` in its repository): the table is a
skippable frame, so that every zstd decompresses a pack as if the table were not there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")


class BadTable(ValueError):
    """The bytes are no seek table that fits its pack."""


@dataclass(frozen=True, slots=True)
class SeekTable:
    """Where frames begin, in the pack and in what it holds; both lists end with the total."""

    stored: tuple[int, ...]
    plain: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.plain) - 1


def table_size(frames: int) -> int:
    """Return the size in bytes of the table of so many frames."""
    return _HEADER.size + _ENTRY.size * frames + _FOOTER.size


def write_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """Return the table of frames given as (size in the pack, size when decompressed)."""
    rest = table_size(len(frames)) - _HEADER.size
    entries = b"".join(_ENTRY.pack(*frame) for frame in frames)
    return _HEADER.pack(_SKIPPABLE, rest) + entries + _FOOTER.pack(len(frames), 0, _SEEKABLE)


def read_table(data: bytes, *, frames: int, size: int, length: int, frame_limit: int) -> SeekTable:
    """Return the table of a pack of so many frames, bytes, and bytes when decompressed.

    Raise `BadTable` if it says anything else, or has a frame of more than `frame_limit` bytes.
    """
    if len(data) != table_size(frames):
        raise BadTable("its seek table is cut off")
    header, footer = _HEADER.unpack_from(data), _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
    if header != (_SKIPPABLE, len(data) - _HEADER.size) or footer != (frames, 0, _SEEKABLE):
        raise BadTable("it does not end with its seek table")
    entries = list(_ENTRY.iter_unpack(data[_HEADER.size : -_FOOTER.size]))
    if any(not 0 < plain <= frame_limit for _, plain in entries):
        raise BadTable("its seek table has a frame of a size that no frame has")
    table = SeekTable(
        tuple(accumulate((stored for stored, _ in entries), initial=0)),
        tuple(accumulate((plain for _, plain in entries), initial=0)),
    )
    if (table.stored[-1] + len(data), table.plain[-1]) != (size, length):
        raise BadTable("its seek table does not add up to its size")
    return table
