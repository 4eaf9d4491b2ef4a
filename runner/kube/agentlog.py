"""The lines of an agent's log, as docs/pods.md ("The agent's log") defines them, taken apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

LONGEST = 256 * 1024
"""Bytes of a line; the agent cuts at a quarter of that."""

_LINE = re.compile(rb"= (\d{1,15}) ((\d{1,15}(?:\.\d{1,9})?) .*)", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """A line of the step's log: where it begins in the stored log, and its bytes as stored."""

    offset: int
    stored: bytes

    @property
    def stamp(self) -> bytes:
        """The time at its beginning."""
        return self.stored.partition(b" ")[0]


@dataclass(frozen=True)
class Started:
    """The command was let go, at a time in seconds since the epoch."""

    at: float


@dataclass(frozen=True)
class Ended:
    """The end as the agent tells it: the fields of `AgentResult`, and `log`, the log's size."""

    fields: dict[str, Any]

    @property
    def log(self) -> int | None:
        """The size of the stored log in bytes, None if it is not told."""
        size = self.fields.get("log")
        return size if isinstance(size, int) and size >= 0 else None


@dataclass(frozen=True)
class Note:
    """What the agent says to whoever looks into the Pod."""

    text: str


Record: TypeAlias = Line | Started | Ended | Note


def parse(line: bytes) -> Record | None:
    """Return what a line (without its newline) says; None for what is no line of an agent."""
    if found := _LINE.fullmatch(line):
        return Line(int(found[1]), found[2] + b"\n")
    if line.startswith(b"> started "):
        at = _object(line[10:]).get("at")
        return Started(float(at)) if isinstance(at, int | float) else None
    if line.startswith(b"> ended "):
        fields = _object(line[8:])
        return Ended(fields) if fields else None
    if line.startswith(b"! "):
        return Note(line[2:].decode("utf-8", "replace"))
    return None


class Splitter:
    """Puts lines together from pieces of a stream; one that grows beyond `LONGEST` is dropped."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._length = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the lines that a piece completes, without their newlines."""
        first, *others = piece.split(b"\n")
        self._hold(first)
        for part in others:
            line = b"".join(self._rest)
            fits = self._length <= LONGEST
            self._rest, self._length = [], 0
            self._hold(part)
            if fits:
                yield line

    def _hold(self, part: bytes) -> None:
        self._length += len(part)
        if self._length <= LONGEST:
            self._rest.append(part)
        else:
            self._rest.clear()


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
