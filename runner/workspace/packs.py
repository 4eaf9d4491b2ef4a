"""Packs: the contents of many files as zstd frames, addressed by the digest of the whole.

A pack lies at `packs/<2 hex>/<digest>`, or under a prefix of its own. Its frames hold at most
`FRAME` bytes each when decompressed: small contents share one, large ones span many, and one that
is too large for a pack goes on in the next. So any content can be had by reading only the frames
that it lies in.
"""

from __future__ import annotations

import hashlib
import os
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from runner.objects.base import ObjectStore
from runner.workspace.manifest import Pack
from runner.workspace.seektable import (
    BadTable,
    SeekTable,
    read_table,
    table_size,
    write_table,
)
from runner.workspace.zstd import Undecodable, compress, decompress

FRAME = 1 << 20
# A pack is put in one call, so it is held in memory until it is full and while it is sent: this
# bounds what a capture takes to about three times as much.
PACK_LIMIT = 16 << 20
# What is fetched in one call: at most so much, and across gaps that cost less than a call.
_RUN = 4 << 20
_GAP = 128 << 10
# How old, in seconds, a pack may be that is relied upon because it is there: it must not be swept
# before the snapshot is known for whose sake it must stay. `retention.grace` is longer.
RELIABLE = 3600.0
_THREADS = max(2, min(4, os.cpu_count() or 1))
_AHEAD = 2 * _THREADS


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content is: from `offset` of what `pack` holds, on into each of `rest`."""

    pack: str
    offset: int
    rest: tuple[str, ...] = ()


class BadPack(ValueError):
    """A pack is not what the manifest says of it; the message says in what."""


def pack_key(digest: str, at: str = "") -> str:
    """Return where a pack lies in the object store; `at` is its prefix, if it has one."""
    return f"{at}/packs/{digest}" if at else f"packs/{digest[:2]}/{digest}"


class PackWriter:
    """Writes contents one after the other into packs, of about `limit` bytes at most.

    Frames are compressed, hashed and stored on other threads, a bounded number at a time. After
    `finish` it knows the packs and where each content is; leaving the context without that gives
    up what is not yet stored. `home` is the prefix of keys under which it writes, if not at the
    place that all share. `clock` tells seconds since the epoch, as the object store does.
    """

    def __init__(
        self,
        objects: ObjectStore,
        limit: int = PACK_LIMIT,
        home: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._objects = objects
        self._limit = limit
        self._home = home
        self._clock = clock
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pack")
        self._position = 0
        self._buffer = bytearray()
        self._compressing: deque[tuple[int, Future[bytes]]] = deque()
        self._frames: list[bytes] = []
        self._table: list[tuple[int, int]] = []
        self._size = 0
        self._starts = [0]
        self._written: list[Future[tuple[str, Pack]]] = []
        self._digests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, size: int) -> int:
        """Begin a content of about `size` bytes; return its position for `place`.

        One that does not fit beside the others gets a frame of its own, so that a small content
        never lies in two.
        """
        if self._buffer and len(self._buffer) + size > FRAME:
            self._flush()
        return self._position

    def write(self, data: bytes) -> None:
        """Go on with the content that was begun."""
        self._position += len(data)
        rest = memoryview(data)
        while len(self._buffer) + len(rest) >= FRAME:
            room = FRAME - len(self._buffer)
            self._buffer += rest[:room]
            rest = rest[room:]
            self._flush()
        self._buffer += rest

    def finish(self) -> dict[str, Pack]:
        """Store what is left; return all packs by digest."""
        if self._buffer:
            self._flush()
        while self._compressing:
            self._collect()
        if self._table:
            self._store()
        stored = [storing.result() for storing in self._written]
        self._digests = [digest for digest, _ in stored]
        return dict(stored)

    def place(self, position: int, size: int) -> Place:
        """Return where a content of `size` bytes (not 0) is that was begun at a position."""
        first = bisect_right(self._starts, position) - 1
        last = bisect_right(self._starts, position + size - 1) - 1
        digests = self._digests[first : last + 1]
        return Place(digests[0], position - self._starts[first], tuple(digests[1:]))

    def _flush(self) -> None:
        """Let the buffer become a frame; wait if too many are under way."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._compressing.append((len(data), self._pool.submit(compress, data)))
        if len(self._compressing) > _AHEAD:
            self._collect()

    def _collect(self) -> None:
        """Take the oldest frame that is under way into the pack, or into a new one if it is full."""
        length, compressing = self._compressing.popleft()
        frame = compressing.result()
        if self._table and self._size + len(frame) + table_size(len(self._table) + 1) > self._limit:
            self._store()
        self._frames.append(frame)
        self._table.append((len(frame), length))
        self._size += len(frame)

    def _store(self) -> None:
        """Send the pack off, once the one before it is stored."""
        if self._written:
            self._written[-1].result()
        table = write_table(self._table)
        length = sum(plain for _, plain in self._table)
        pack = Pack(self._size + len(table), len(self._table), length, self._home)
        data = b"".join([*self._frames, table])
        self._written.append(self._pool.submit(self._put, data, pack))
        self._starts.append(self._starts[-1] + length)
        self._frames, self._table, self._size = [], [], 0

    def _put(self, data: bytes, pack: Pack) -> tuple[str, Pack]:
        """Store a pack under the digest of its bytes; return that, and the pack.

        One that all could share and that is there already, but not since lately, may be swept at
        any moment: it is stored again under a prefix that nobody else has.
        """
        digest = hashlib.sha256(data).hexdigest()
        key = pack_key(digest, pack.at)
        if pack.at:
            self._objects.put(key, data)
        elif not self._objects.create(key, data) and not self._is_recent(key):
            pack = replace(pack, at=f"again/{os.urandom(8).hex()}")
            self._objects.put(pack_key(digest, pack.at), data)
        return digest, pack

    def _is_recent(self, key: str) -> bool:
        since = self._clock() - RELIABLE
        return any(info.key == key and info.modified > since for info in self._objects.list(key))


class PackReader:
    """Reads parts of one pack; safe from any thread."""

    def __init__(self, objects: ObjectStore, digest: str, pack: Pack) -> None:
        self._objects = objects
        self._key = pack_key(digest, pack.at)
        self._pack = pack
        self._table: SeekTable | None = None

    def window(self, spans: Sequence[tuple[int, int]]) -> PackWindow:
        """Return a view for reading these (offset, length) in this order.

        Raise `BadPack`, or what the object store raises.
        """
        table = self._table = self._table or self._read_table()
        return PackWindow(self._objects, self._key, table, _runs(table, spans))

    def _read_table(self) -> SeekTable:
        pack = self._pack
        size = table_size(pack.frames)
        if pack.frames == 1 and pack.length <= FRAME:
            # What is known of the pack says it all, which saves a call.
            return SeekTable((0, max(0, pack.size - size)), (0, pack.length))
        data = self._objects.get(self._key, max(0, pack.size - size), size)
        try:
            return read_table(
                data, frames=pack.frames, size=pack.size, length=pack.length, frame_limit=FRAME
            )
        except BadTable as error:
            raise BadPack(str(error)) from error


class PackWindow:
    """Reads contents from a pack, cheaply in the order it was made for; not thread-safe."""

    def __init__(
        self, objects: ObjectStore, key: str, table: SeekTable, runs: Sequence[range]
    ) -> None:
        self._objects = objects
        self._key = key
        self._table = table
        self._runs = runs
        self._run = range(0)
        self._stored = b""
        self._number = -1
        self._plain = b""

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset` of what the pack holds, frame by frame.

        Raise `BadPack`, or what the object store raises.
        """
        end = offset + length
        while offset < end:
            number = bisect_right(self._table.plain, offset) - 1
            if not 0 <= number < self._table.frames:
                raise BadPack("it ends too early")
            start = self._table.plain[number]
            part = self._frame(number)[offset - start : end - start]
            yield part
            offset += len(part)

    def _frame(self, number: int) -> bytes:
        """Return what a frame holds; the last one is remembered."""
        if number != self._number:
            stored, plain = self._table.stored, self._table.plain
            length = plain[number + 1] - plain[number]
            self._fetch(number)
            begin = stored[self._run.start]
            frame = self._stored[stored[number] - begin : stored[number + 1] - begin]
            try:
                self._plain = decompress(frame, length)
            except Undecodable as error:
                raise BadPack(f"frame {number} is damaged: {error}") from error
            if len(self._plain) != length:
                raise BadPack(f"frame {number} is damaged: it is too short")
            self._number = number
        return self._plain

    def _fetch(self, number: int) -> None:
        """Have the run that a frame is in, or the frame alone where it was not announced."""
        if number not in self._run:
            alone = range(number, number + 1)
            self._run = next((run for run in self._runs if number in run), alone)
            begin, end = (self._table.stored[at] for at in (self._run.start, self._run.stop))
            self._stored = self._objects.get(self._key, begin, end - begin)


def _runs(table: SeekTable, spans: Sequence[tuple[int, int]]) -> list[range]:
    """Return which frames to fetch together, for all frames that the spans lie in."""
    wanted = sorted({number for span in spans for number in _frames_of(table, *span)})
    runs: list[range] = []
    for number in wanted:
        if runs and _belongs(table, runs[-1], number):
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _frames_of(table: SeekTable, offset: int, length: int) -> range:
    first = bisect_right(table.plain, offset) - 1
    last = bisect_right(table.plain, offset + length - 1) - 1
    return range(first, min(last, table.frames - 1) + 1)


def _belongs(table: SeekTable, run: range, number: int) -> bool:
    """Whether it pays to fetch a frame with the run before it."""
    gap = table.stored[number] - table.stored[run.stop]
    size = table.stored[number + 1] - table.stored[run.start]
    return gap <= _GAP and size <= _RUN
