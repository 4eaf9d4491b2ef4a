r"""Writes what a step prints as lines of a log, each with the time at which it was read.

A line of a log is `<seconds since the epoch with six decimals> <text>\n`, in UTF-8; what is not
UTF-8 is replaced. `runner/logs.py` reads it back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from runner.agent.errors import LogError
from runner.agent.masking import Masker

LONGEST_LINE = 64 * 1024
LARGEST_LOG = 64 * 1024 * 1024
CONTINUES = " [the line continues]"

# Gets lines as they are stored, and where the first of them begins in the log, in bytes.
Sink: TypeAlias = Callable[[int, Sequence[bytes]], None]


class LogWriter:
    """Appends to a log file; past `limit` bytes it only counts what it drops.

    A line longer than 64 KiB is split, every piece but the last marked with `CONTINUES`. Whole
    lines go out in one write, so that whoever follows the file seldom sees a part of one. What
    `masker` hides is not written. `sink` gets what is stored, once it is. `size` is that of the log,
    in bytes.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit: int = LARGEST_LOG,
        clock: Callable[[], float] = time.time,
        masker: Masker | None = None,
        sink: Sink | None = None,
    ) -> None:
        self.dropped = 0
        self._sink = sink
        self._masker = masker or Masker(())
        self._limit = limit
        self._clock = clock
        self._rest = b""
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise _trouble(error) from error
        self.size = os.fstat(self._file).st_size
        self._cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Take in the next bytes of what the step prints; raise `LogError` if the disk refuses."""
        self._take(self._masker.feed(data))

    def close(self) -> None:
        """Write the last line, if it did not end with a newline, and close the file."""
        if self._file < 0:
            return
        try:
            self._take(self._masker.flush())
            self._append([self._rest] if self._rest else [])
        finally:
            os.close(self._file)
            self._file = -1
            self._rest = b""

    def _take(self, data: bytes) -> None:
        *whole, rest = (self._rest + data).split(b"\n")
        lines = [piece for line in whole for piece in _pieces(line)]
        *long, self._rest = _pieces(rest)
        self._append(lines + long)

    def _append(self, lines: list[bytes]) -> None:
        if not lines:
            return
        stamp = b"%.6f " % self._clock()
        stored = [stamp + _clean(line) + b"\n" for line in lines]
        data = b"".join(stored)
        if self._cut or self.size + len(data) > self._limit:
            stored = self._fitting(stamp, lines)
            data = b"".join(stored)
        start = self.size
        self._store(data)
        if self._sink is not None and stored:
            self._sink(start, stored)

    def _store(self, data: bytes) -> None:
        try:
            while data:
                written = os.write(self._file, data)
                self.size += written
                data = data[written:]
        except OSError as error:
            raise _trouble(error) from error

    def _fitting(self, stamp: bytes, lines: list[bytes]) -> list[bytes]:
        """Return the lines that still fit, with the note that says so once; count the others."""
        kept: list[bytes] = []
        room = self._limit - self.size
        for line in lines:
            stored = stamp + _clean(line) + b"\n"
            if self._cut or len(stored) > room:
                if not self._cut:
                    note = b"[the log is larger than %d bytes: the rest is not kept]\n"
                    kept.append(stamp + note % self._limit)
                self._cut = True
                self.dropped += len(line) + 1
            else:
                kept.append(stored)
                room -= len(stored)
        return kept


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > LONGEST_LINE:
        end = _boundary(line)
        yield line[:end] + CONTINUES.encode()
        line = line[end:]
    yield line


def _boundary(line: bytes) -> int:
    """Return where to split a long line: at the limit, or a little before, between characters."""
    for end in range(LONGEST_LINE, LONGEST_LINE - 4, -1):
        if line[end] & 0b1100_0000 != 0b1000_0000:
            return end
    return LONGEST_LINE


def _clean(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace").encode()
    return line


def _trouble(error: OSError) -> LogError:
    return LogError(f"the log cannot be written: {error.strerror}")
