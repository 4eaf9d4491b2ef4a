"""What a `.ci.yaml` looks like before it has a meaning: plain values, and where each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pipelines.errors import Position

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
Loc: TypeAlias = tuple[str | int, ...]

KEY: Final = "[key]"
"""Ends a `Loc` that means a key itself, not what it holds."""


@dataclass(frozen=True)
class Place:
    """Where a value starts, and the offset of its text from there if it stands on one line."""

    start: Position
    inset: int | None = None

    def column(self, column: int) -> Position:
        """Return the position of a column (from 1) within the value's text, its start if unsure."""
        if self.inset is None:
            return self.start
        return Position(self.start.line, self.start.column + self.inset + column - 1)


@dataclass(frozen=True)
class Limits:
    """How large a file may be before it is refused, and how many of its mistakes are told.

    `size` counts bytes, `nodes` values; aliases count with what they stand for.
    """

    size: int = 4 * 1024 * 1024
    nodes: int = 1_000_000
    depth: int = 32
    aliases: int = 64
    mistakes: int = 100


def nearest(places: Mapping[Loc, Place], loc: Loc) -> Place:
    """Return the place of a value or, where it has none of its own, of what holds it."""
    while loc not in places and loc:
        loc = loc[:-1]
    return places.get(loc, Place(Position(1, 1)))
