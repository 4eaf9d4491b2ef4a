"""Takes the contents of files into packs: each content once, and each file as it was at one time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from runner.workspace.index import signature
from runner.workspace.manifest import EMPTY_DIGEST, Manifest
from runner.workspace.packs import FRAME, PackWriter, Place

_RETRIES = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """A file as it was read; `settled` is false if it kept changing meanwhile."""

    digest: str
    size: int
    status: os.stat_result
    settled: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    """One pass over a file: `data` if it is small, `position` if it went straight to a pack."""

    digest: str
    size: int
    data: bytes = b""
    position: int | None = None


class Intake:
    """What is stored already, in `base` or by `writer`, and the way for what is not."""

    def __init__(
        self,
        writer: PackWriter,
        base: Manifest,
        read: Callable[[int, int], bytes] = os.read,
    ) -> None:
        self._writer = writer
        self._base = base
        self._read = read
        self._positions: dict[str, tuple[int, int]] = {}

    def knows(self, digest: str) -> bool:
        """Whether a content is stored already."""
        return digest == EMPTY_DIGEST or digest in self._positions or digest in self._stored

    def take(self, descriptor: int) -> Taken:
        """Read a file and store its content unless it is; raise `OSError`.

        A file that changes while it is read is read again, a few times.
        """
        taken, reading = self._once(descriptor)
        for _ in range(_RETRIES):
            if taken.settled:
                break
            taken, reading = self._once(descriptor)
        self._keep(reading)
        return taken

    def take_bytes(self, data: bytes) -> str:
        """Store a content that is at hand unless it is stored; return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        self._keep(_Reading(digest, len(data), data))
        return digest

    def place(self, digest: str, size: int) -> Place:
        """Return where a stored content is, once the writer has finished."""
        if size == 0:
            return Place("", 0)
        stored = self._stored.get(digest)
        return stored or self._writer.place(*self._positions[digest])

    @cached_property
    def _stored(self) -> dict[str, Place]:
        files = self._base.files()
        return {entry.digest: Place(entry.pack, entry.offset, entry.rest) for entry in files}

    @cached_property
    def _sizes(self) -> set[int]:
        return {entry.size for entry in self._base.files()}

    def _once(self, descriptor: int) -> tuple[Taken, _Reading]:
        before = os.fstat(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        take = self._small if before.st_size <= FRAME else self._large
        reading = take(descriptor, before.st_size)
        after = os.fstat(descriptor)
        settled = signature(before) == signature(after) and reading.size == after.st_size
        return Taken(reading.digest, reading.size, after, settled), reading

    def _small(self, descriptor: int, size: int) -> _Reading:
        data = b"".join(self._parts(descriptor, size))
        return _Reading(hashlib.sha256(data).hexdigest(), len(data), data)

    def _large(self, descriptor: int, size: int) -> _Reading:
        """Read a file in parts.

        They go straight to the packs if no stored content has this size. Otherwise it is hashed
        first: reading twice is cheaper than storing twice.
        """
        if size in self._sizes:
            reading = self._pass(descriptor, size, None)
            if self.knows(reading.digest):
                return reading
            os.lseek(descriptor, 0, os.SEEK_SET)
        return self._pass(descriptor, size, self._writer.begin(size))

    def _pass(self, descriptor: int, size: int, position: int | None) -> _Reading:
        digest, total = hashlib.sha256(), 0
        for part in self._parts(descriptor, size):
            digest.update(part)
            total += len(part)
            if position is not None:
                self._writer.write(part)
        return _Reading(digest.hexdigest(), total, position=position)

    def _parts(self, descriptor: int, size: int) -> Iterator[bytes]:
        """Yield a file's bytes, but never more than it had: it may grow as fast as it is read."""
        while size > 0 and (part := self._read(descriptor, min(size, FRAME))):
            size -= len(part)
            yield part

    def _keep(self, reading: _Reading) -> None:
        """Remember where a content that was new is, and write it there if it is not yet."""
        if self.knows(reading.digest):
            return
        position = reading.position
        if position is None:
            position = self._writer.begin(reading.size)
            self._writer.write(reading.data)
        self._positions[reading.digest] = (position, reading.size)
        self._sizes.add(reading.size)
