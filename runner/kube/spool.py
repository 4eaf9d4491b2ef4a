"""The file that a step's log is kept in while it is told: every byte at its own place.

Where lines are missing, a line that says so takes up exactly their room. So whoever reads along by
byte offsets keeps his place when the whole log takes the file's place in the end.
"""

from __future__ import annotations

import os
from pathlib import Path

MISSING = b"[lines missing]"
"""What stands where lines are missing; short enough for the shortest line that can be."""

_BLOCK = 64 * 1024


class Spool:
    """A log's file, for one writer at a time. Every method may raise `OSError`."""

    def __init__(self, path: Path) -> None:
        """Take up a file; its folder is there, the file itself need not be.

        A last line that a crash has torn is as good as missing.
        """
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = _end_of_lines(self._file)
        if self.size < os.fstat(self._file).st_size:
            os.ftruncate(self._file, self.size)

    def append(self, offset: int, line: bytes) -> bool:
        """Keep a line, with its newline, that begins at `offset`; have it already, and it is fine.

        Return False, and keep nothing, if bytes before it are missing.
        """
        if offset > self.size:
            return False
        if offset == self.size:
            self._write(offset, line)
            self.size += len(line)
        return True

    def skip_to(self, offset: int, stamp: bytes) -> None:
        """Fill the file up to `offset` with one line that says what is missing."""
        room = offset - self.size
        if room <= 0:
            return
        note = stamp + b" " + MISSING
        if len(note) >= room:
            note = b"0 " + MISSING
        self._write(self.size, note[: room - 1].ljust(room - 1) + b"\n")
        self.size = offset

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, offset: int, data: bytes) -> None:
        while data:
            written = os.pwrite(self._file, data, offset)
            offset += written
            data = data[written:]


def _end_of_lines(file: int) -> int:
    """Return the offset after the last newline of a file."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def is_whole(path: Path, size: int | None) -> bool:
    """Whether a file holds a log of `size` bytes without a gap; never if the size is not known.

    A log that has the words of `MISSING` in it by itself counts as one with a gap.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                return False
            return not any(MISSING in line for line in file)
    except FileNotFoundError:
        return size == 0


def replace_log(path: Path, data: bytes) -> None:
    """Put the whole log into a file's place; whoever has that open reads on in the old one."""
    draft = path.with_name(f"{path.name}.whole")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as target:
        target.write(data)
    draft.replace(path)
