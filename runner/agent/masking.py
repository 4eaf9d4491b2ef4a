"""Keeps secrets out of what a step prints, in whatever pieces it arrives and without delay."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from runner.agent.forms import SHORTEST, forms_of, parts_of

LONGEST = 64
"""Bytes of the longest piece that is looked for; longer forms are looked for in pieces."""

_STRIDE = 8


class Pieces:
    """Finds the pieces of secrets in bytes, in time linear in them however many pieces there are.

    All pieces have `SHORTEST` bytes or more. So of each that occurs, one of the first `stride`
    runs of that many bytes begins at a multiple of `stride`: only there is looked.
    """

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._pieces = frozenset(piece for form in forms for piece in _cut(form))
        self._sorted = sorted(self._pieces)
        lengths: dict[bytes, set[int]] = {}
        for piece in self._pieces:
            lengths.setdefault(piece[:SHORTEST], set()).add(len(piece))
        self._lengths = {head: sorted(found, reverse=True) for head, found in lengths.items()}
        shortest = min(map(len, self._pieces), default=SHORTEST)
        self._stride = min(shortest - SHORTEST + 1, _STRIDE)
        self._samples = frozenset(
            piece[start : start + SHORTEST]
            for piece in self._pieces
            for start in range(self._stride)
        )

    def __bool__(self) -> bool:
        """Whether there is anything to be found."""
        return bool(self._pieces)

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Return where pieces stand, from where to where, in order; what touches is one."""
        samples, stride = self._samples, self._stride
        spans: list[tuple[int, int]] = []
        for place in range(0, len(data) - SHORTEST + 1, stride):
            if data[place : place + SHORTEST] in samples:
                for start in range(max(place - stride + 1, 0), place + 1):
                    if stop := self._end(data, start):
                        _add(spans, start, stop)
        return spans

    def held(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a piece."""
        for length in range(min(LONGEST - 1, len(data)), 0, -1):
            ending = data[-length:]
            # The first piece that is greater is the one that begins with it, if any does.
            place = bisect_right(self._sorted, ending)
            if place < len(self._sorted) and self._sorted[place].startswith(ending):
                return length
        return 0

    def _end(self, data: bytes, start: int) -> int:
        """Return where the longest piece that begins at a place ends, 0 if none does."""
        for length in self._lengths.get(data[start : start + SHORTEST], ()):
            stop = start + length
            if stop <= len(data) and data[start:stop] in self._pieces:
                return stop
        return 0


class Masker:
    """Puts `replacement` in the place of secrets; the result depends on no chunk's borders.

    What is held back, less than `LONGEST` bytes, is what may be the beginning of a secret. Values
    and lines of values shorter than `SHORTEST` bytes are not masked: see `maskable`.
    """

    def __init__(self, values: Iterable[str], replacement: bytes = b"***") -> None:
        self._pieces = Pieces(form for value in values for form in forms_of(value))
        self._replacement = replacement
        self._begin()

    def _begin(self) -> None:
        self._tail = b""
        self._covered = 0
        self._replacing = False

    def feed(self, data: bytes) -> bytes:
        """Take in the next bytes; return those that can be told by now, masked."""
        if not self._pieces:
            return data
        data = self._tail + data
        return self._release(data, len(data) - self._pieces.held(data))

    def flush(self) -> bytes:
        """Return what was held back, masked: nothing comes after it. It can then begin anew."""
        rest = self._release(self._tail, len(self._tail))
        self._begin()
        return rest

    def text(self, text: str) -> str:
        """Return a whole text, masked; it does not matter what was fed."""
        data = text.encode("utf-8", "surrogatepass")
        spans = self._pieces.find(data)
        return _without(data, spans, self._replacement).decode("utf-8", "surrogatepass")

    def hides(self, text: str) -> bool:
        """Return whether there is a secret in a text."""
        return bool(self._pieces.find(text.encode("utf-8", "surrogatepass")))

    def _release(self, data: bytes, end: int) -> bytes:
        """Return the bytes before `end`, masked, and keep the others.

        Of those kept, the first few may be known to belong to a secret already; and if the last
        thing told was a replacement, what follows at once is part of it.
        """
        self._tail = data[end:]
        if not end:
            return b""
        spans = [(0, self._covered)] if self._covered else []
        for start, stop in self._pieces.find(data):
            _add(spans, start, stop)
        told = [(start, stop) for start, stop in spans if start < end]
        shown = _without(data[:end], told, self._replacement)
        if self._replacing and told and told[0][0] == 0:
            shown = shown.removeprefix(self._replacement)
        covered = told[-1][1] - end if told else -1
        self._replacing, self._covered = covered >= 0, max(covered, 0)
        return shown


def maskable(value: str) -> bool:
    """Return whether a secret has a line that is long enough to be masked."""
    return any(parts_of(line) for line in value.split("\n"))


def _cut(form: bytes) -> Iterator[bytes]:
    """Yield the pieces of a form that cover all of it."""
    for start in range(0, len(form) - LONGEST, LONGEST):
        yield form[start : start + LONGEST]
    yield form[-LONGEST:]


def _add(spans: list[tuple[int, int]], start: int, stop: int) -> None:
    """Add a span that begins after the others do; it may go on where the last one ends."""
    if spans and start <= spans[-1][1]:
        spans[-1] = (spans[-1][0], max(spans[-1][1], stop))
    else:
        spans.append((start, stop))


def _without(data: bytes, spans: Iterable[tuple[int, int]], replacement: bytes) -> bytes:
    kept: list[bytes] = []
    place = 0
    for start, stop in spans:
        kept += (data[place:start], replacement)
        place = stop
    return b"".join((*kept, data[place:]))
