"""A glob for branches, tags and paths, matched in time linear in the text, whatever the glob.

A glob matches a whole text. `*` is any run without `/`, `**` any run, `**/` at the start of a
segment any number of whole segments, `?` one character but `/`, `[a-z]` and `[!a-z]` one of a set
(never `/`), `{a,b}` either, and a backslash takes the next character as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from pipelines.errors import ExpressionError

MAX_GLOB = 256
MAX_ALTERNATIVES = 64

_PIECE = re.compile(
    r"""
      (?P<stars>  \*+ )
    | (?P<any>    \? )
    | (?P<set>    \[ (?P<negated>[!^])? (?P<members>[^\[\]/\\]+) \] )
    | (?P<escape> \\. )
    | (?P<open>   \{ )
    | (?P<comma>  , )
    | (?P<close>  \} )
    | (?P<plain>  [^\[\]\\] )
    """,
    re.VERBOSE | re.DOTALL,
)
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_CURES = {
    "[": "a set is `[abc]`, `[a-z]` or `[!abc]` and holds no `/`; a plain bracket is `\\[`",
    "]": "a plain bracket is `\\]`",
    "\\": "a plain backslash is `\\\\`",
}


@dataclass(frozen=True)
class _Stars:
    """A run of any length; `crosses` says whether it may hold `/`."""

    crosses: bool


@dataclass(frozen=True)
class _OneOf:
    """One character of a set, or of all others if it is negated; never `/`."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def accepts(self, character: str) -> bool:
        found = any(low <= character <= high for low, high in self.ranges)
        return character != "/" and found is not self.negated


_Element: TypeAlias = str | _Stars | _OneOf
_Sequence: TypeAlias = tuple[_Element, ...]


class _Automaton:
    """All alternatives of a glob as one set of states, a bit each.

    A state stands before an element and moves on to the next bit when a character fits the
    element. So a text takes as many moves as it has characters.
    """

    def __init__(self, alternatives: Sequence[_Sequence]) -> None:
        self._characters: dict[str, int] = {}
        self._sets: dict[_OneOf, int] = {}
        self._stays_but_slash = self._stays = self._skips = self._leaps = 0
        self.size = self._ends = 0
        starts = 0
        for elements in alternatives:
            starts |= 1 << self.size
            self._add(elements)
            self._ends |= 1 << self.size
            self.size += 1
        self._start = self._closed(starts)

    def _add(self, elements: _Sequence) -> None:
        before: _Element = "/"
        for place, element in enumerate(elements):
            after = elements[place + 1] if place + 1 < len(elements) else ""
            if element == _Stars(crosses=True) and before == after == "/":
                self._add_segments()
            else:
                self._add_element(element)
            before = element

    def _add_segments(self) -> None:
        """Add `**` of `**/`: the state before it leaps over both, or stays up to a `/`.

        The `/` itself comes as the next element.
        """
        self._skips |= 1 << self.size
        self._leaps |= 1 << self.size
        self._stays |= 2 << self.size
        self.size += 1

    def _add_element(self, element: _Element) -> None:
        bit = 1 << self.size
        match element:
            case _Stars():
                self._skips |= bit
                self._stays |= bit if element.crosses else 0
                self._stays_but_slash |= bit
            case _OneOf():
                self._sets[element] = self._sets.get(element, 0) | bit
            case _:
                self._characters[element] = self._characters.get(element, 0) | bit
        self.size += 1

    def _closed(self, states: int) -> int:
        while True:
            more = states | (states & self._skips) << 1 | (states & self._leaps) << 2
            if more == states:
                return states
            states = more

    def moves(self, text: str) -> Iterator[int]:
        """Yield the set of states at the start of a text and after each of its characters."""
        states = self._start
        yield states
        for character in text:
            moving = self._characters.get(character, 0)
            for members, bits in self._sets.items():
                moving |= bits if members.accepts(character) else 0
            staying = self._stays if character == "/" else self._stays | self._stays_but_slash
            states = self._closed((states & moving) << 1 | states & staying)
            yield states
            if not states:
                return

    def accepts(self, text: str) -> bool:
        states = 0
        for states in self.moves(text):  # noqa: B007
            pass
        return bool(states & self._ends)


@dataclass(frozen=True)
class Glob:
    """A glob that was read; two are equal if they are written alike."""

    text: str
    automaton: _Automaton = field(compare=False, repr=False)

    def matches(self, text: str) -> bool:
        """Return whether the glob matches the whole of a text."""
        return self.automaton.accepts(text)


@lru_cache(maxsize=512)
def parse_glob(text: str, first_column: int = 1) -> Glob:
    """Return the glob that a text of at most `MAX_GLOB` characters stands for.

    Raises `ExpressionError`, with columns counted from `first_column`.
    """
    if not text or len(text) > MAX_GLOB:
        message = f"a glob has 1 to {MAX_GLOB} characters, this one has {len(text)}"
        raise ExpressionError(message, column=first_column, cure="`**` matches everything")
    if text.startswith("!"):
        cure = "`!` excludes within a list of patterns; ask for the opposite with `not`"
        message = "a glob does not begin with `!`"
        raise ExpressionError(message, column=first_column, cure=cure)
    return Glob(text, _Automaton(_alternatives(text, first_column)))


def _alternatives(text: str, first_column: int) -> list[_Sequence]:
    whole: list[_Sequence] = [()]
    branches: list[_Sequence] = []
    opened = 0
    for name, piece in _pieces(text, first_column):
        column = first_column + piece.start()
        if name == "open":
            if branches:
                raise _brace_mistake(column, "braces do not nest")
            branches, opened = [()], column
        elif name == "close":
            whole, branches = _joined(whole, branches, column), []
        elif name == "comma" and branches:
            branches.append(())
        else:
            growing = branches or whole
            element = _element(name, piece, column)
            first = len(growing) - 1 if branches else 0
            growing[first:] = [(*sequence, element) for sequence in growing[first:]]
    if branches:
        raise _brace_mistake(opened, "the brace that opens here is not closed")
    return whole


def _joined(whole: list[_Sequence], branches: list[_Sequence], column: int) -> list[_Sequence]:
    if not branches:
        raise _brace_mistake(column, "no brace was opened")
    if len(whole) * len(branches) > MAX_ALTERNATIVES:
        raise _brace_mistake(column, f"the braces stand for more than {MAX_ALTERNATIVES} globs")
    return [head + tail for head in whole for tail in branches]


def _brace_mistake(column: int, message: str) -> ExpressionError:
    cure = "alternatives are `{a,b}`; a plain brace is `\\{` or `\\}`"
    return ExpressionError(message, column=column, cure=cure)


def _pieces(text: str, first_column: int) -> Iterator[tuple[str, re.Match[str]]]:
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None:
            message = f"`{text[place]}` stands alone in the glob `{text}`"
            cure = _CURES[text[place]]
            raise ExpressionError(message, column=first_column + place, cure=cure)
        yield str(piece.lastgroup), piece
        place = piece.end()


def _element(name: str, piece: re.Match[str], column: int) -> _Element:
    match name:
        case "stars":
            return _Stars(crosses=len(piece[0]) > 1)
        case "any":
            return _OneOf((), negated=True)
        case "set":
            return _OneOf(_ranges(piece["members"], column), negated=bool(piece["negated"]))
        case _:
            return piece[0][-1]


def _ranges(members: str, column: int) -> tuple[tuple[str, str], ...]:
    ranges = []
    for member in _MEMBER.finditer(members):
        low, high = member[1] or member[3], member[2] or member[3]
        if low > high:
            message = f"the range `{member[0]}` is empty"
            raise ExpressionError(message, column=column, cure=f"turn it round: `{high}-{low}`")
        ranges.append((low, high))
    return tuple(ranges)
