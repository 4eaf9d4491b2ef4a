"""Keeps the logs of attempts: a file while a step runs, a compressed object ever after.

A log is lines `<seconds since the epoch with six decimals> <text>`, as
`runner/agent/loglines.py` writes them. What terminals make of some bytes is for those who show
the lines to care about: it is stored as it came.
"""

from __future__ import annotations

import gzip
import io
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from runner.executors.base import AttemptId
from runner.objects.base import ObjectMissing, ObjectStore


@dataclass(frozen=True)
class LogLine:
    """A line of a log: its number, from 1, the time it was read in seconds, and its text."""

    number: int
    at: float
    text: str


@dataclass(frozen=True)
class Position:
    """Where a reader is in a log: the number of the next line, and the byte at which it begins.

    It stays good when the log moves from its file to the object store.
    """

    line: int = 1
    offset: int = 0


START = Position()


@dataclass(frozen=True)
class Page:
    """Some lines of a log, and where those after them begin."""

    lines: tuple[LogLine, ...]
    next: Position


class LogBook:
    """The logs of all attempts: live ones in files below `spool`, the others in `objects`.

    Only an attempt that has ended may be archived.
    """

    def __init__(self, spool: Path, objects: ObjectStore) -> None:
        self._spool = spool
        self._objects = objects

    def spool(self, attempt: AttemptId) -> Path:
        """Return the file that an attempt's live log is appended to; its folder is made."""
        path = self._file(attempt)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def key(self, attempt: AttemptId) -> str:
        """Return the key of an attempt's log in the object store."""
        return f"logs/{attempt.run}/{attempt.name}"

    def archive(self, attempt: AttemptId) -> None:
        """Move an ended attempt's log to the object store; one that was moved before is fine.

        Raise `ObjectStoreError` if the store does not take it; the file stays then.
        """
        path = self._file(attempt)
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return
        packed = io.BytesIO()
        with source, _packing(packed) as target:
            shutil.copyfileobj(source, target)
        self._objects.put(self.key(attempt), packed.getvalue())
        path.unlink(missing_ok=True)

    def service_key(self, attempt: AttemptId, service: str) -> str:
        """Return the key of the log of a service of an attempt."""
        return f"{self.key(attempt)}.{service}"

    def keep_service(self, attempt: AttemptId, service: str, lines: Iterable[bytes]) -> None:
        """Keep the log of a service, its lines as those of a step's log; replaces an older one."""
        packed = io.BytesIO()
        with _packing(packed) as target:
            target.writelines(lines)
        self._objects.put(self.service_key(attempt, service), packed.getvalue())

    def services(self, attempt: AttemptId) -> tuple[str, ...]:
        """Return the names of the services of an attempt whose logs are kept."""
        before = f"{self.key(attempt)}."
        return tuple(found.key.removeprefix(before) for found in self._objects.list(before))

    def read_service(self, attempt: AttemptId, service: str) -> Iterator[LogLine]:
        """Yield the lines of a service's log, their time that at which they were read."""
        packed = self._objects.get(self.service_key(attempt, service))
        with gzip.GzipFile(fileobj=io.BytesIO(packed), mode="rb") as file:
            for number, line in enumerate(_whole_lines(cast(BinaryIO, file)), start=1):
                yield _parse(number, line)

    def read(self, attempt: AttemptId, start_line: int = 1) -> Iterator[LogLine]:
        """Yield the lines of a log from a number on, wherever it is; a log that is not has none."""
        with self._open(attempt) as file:
            for number, line in enumerate(_whole_lines(file), start=1):
                if number >= start_line:
                    yield _parse(number, line)

    def page(self, attempt: AttemptId, position: Position = START, limit: int = 1000) -> Page:
        """Return at most `limit` lines from a position on, and the position after them.

        To follow a log, ask again from there; no lines means that there are none yet.
        """
        lines: list[LogLine] = []
        offset = position.offset
        with self._open(attempt) as file:
            file.seek(offset)
            for number, line in enumerate(_whole_lines(file), start=position.line):
                lines.append(_parse(number, line))
                offset += len(line)
                if len(lines) >= limit:
                    break
        return Page(tuple(lines), Position(position.line + len(lines), offset))

    def close(self, run: str) -> None:
        """Remove the folder of a run's live logs, if all of them were archived."""
        with suppress(OSError):
            (self._spool / run).rmdir()

    def remove(self, attempt: AttemptId) -> None:
        """Remove a log and those of services, wherever they are; one that is not there is fine."""
        self._file(attempt).unlink(missing_ok=True)
        services = [self.service_key(attempt, name) for name in self.services(attempt)]
        self._objects.delete([self.key(attempt), *services])

    def _file(self, attempt: AttemptId) -> Path:
        return self._spool / attempt.run / f"{attempt.name}.log"

    def _open(self, attempt: AttemptId) -> BinaryIO:
        """Return a log's bytes; one that is archived meanwhile is found in the store."""
        try:
            return self._file(attempt).open("rb")
        except FileNotFoundError:
            pass
        try:
            packed = self._objects.get(self.key(attempt))
        except ObjectMissing:
            return io.BytesIO()
        return cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(packed), mode="rb"))


def _packing(target: BinaryIO) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=target, mode="wb", compresslevel=6, mtime=0)


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a log; a last one without its newline is still being written."""
    for line in file:
        if not line.endswith(b"\n"):
            return
        yield line


def _parse(number: int, line: bytes) -> LogLine:
    """Return a line taken apart; one without a time, as a broken disk may leave it, has time 0."""
    stamp, _, text = line[:-1].partition(b" ")
    try:
        return LogLine(number, float(stamp), text.decode("utf-8", "replace"))
    except ValueError:
        return LogLine(number, 0.0, line[:-1].decode("utf-8", "replace"))
