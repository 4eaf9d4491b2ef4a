"""A sheet of characters on which lines join where they belong together and pass where they do not."""

from __future__ import annotations

from collections.abc import Hashable

from runner.cli.tables import width_of

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_JOINTS = {
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "┌",
    _DOWN | _LEFT: "┐",
    _UP | _RIGHT: "└",
    _UP | _LEFT: "┘",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
    _UP: "│",
    _DOWN: "│",
    _LEFT: "─",
    _RIGHT: "─",
}


class Canvas:
    """Lines and texts at columns `x` and rows `y`, counted from 0 at the top left."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], dict[Hashable, int]] = {}
        self._texts: dict[tuple[int, int], str] = {}

    def horizontal(self, owner: Hashable, y: int, start: int, end: int) -> None:
        """Draw a line from column to column, both included; lines of one owner join."""
        for x in range(start, end + 1):
            bits = (_LEFT if x > start else 0) | (_RIGHT if x < end else 0)
            self._add(owner, x, y, bits)

    def vertical(self, owner: Hashable, x: int, start: int, end: int) -> None:
        """Draw a line from row to row, both included; lines of one owner join."""
        for y in range(start, end + 1):
            bits = (_UP if y > start else 0) | (_DOWN if y < end else 0)
            self._add(owner, x, y, bits)

    def text(self, x: int, y: int, text: str) -> None:
        """Write a text, which may be coloured, over whatever is there."""
        self._texts[x, y] = text
        for place in range(x + 1, x + width_of(text)):
            self._texts[place, y] = ""

    def box(self, x: int, y: int, width: int, height: int, text: str) -> None:
        """Draw a box with a text in its middle row; sizes count its border."""
        for row in range(y + 1, y + height - 1):
            for place in range(x, x + width):
                self._texts[place, row] = "│" if place in (x, x + width - 1) else " "
        self.text(x, y, "┌" + "─" * (width - 2) + "┐")
        self.text(x, y + height - 1, "└" + "─" * (width - 2) + "┘")
        self.text(x + 2, y + height // 2, text)

    def rows(self) -> list[str]:
        """Return the sheet line by line, without blanks at the ends."""
        places = [*self._lines, *self._texts]
        wide = max((x for x, _ in places), default=-1) + 1
        high = max((y for _, y in places), default=-1) + 1
        return ["".join(self._sign(x, y) for x in range(wide)).rstrip() for y in range(high)]

    def _add(self, owner: Hashable, x: int, y: int, bits: int) -> None:
        owned = self._lines.setdefault((x, y), {})
        owned[owner] = owned.get(owner, 0) | bits

    def _sign(self, x: int, y: int) -> str:
        if (text := self._texts.get((x, y))) is not None:
            return text
        owned = list(self._lines.get((x, y), {}).values())
        if len(owned) > 1:
            # Two lines that have nothing to do with each other: one passes below the other.
            return "│"
        return _JOINTS[owned[0]] if owned and owned[0] else " "
