"""A graph of steps drawn with characters: boxes from left to right, or a tree where they do not fit.

The boxes stand in columns by depth. Where a step needs another that is not in the column before
its own, a line is led through the columns between. Needs that others imply are left out. Lines
that meet in a drawing belong together, exactly: a step with several groups of needs has an
entrance for each, and lines that only cross pass below one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pipelines.graph import Graph
from runner.cli.canvas import Canvas
from runner.cli.tables import width_of

Needs: TypeAlias = Mapping[str, Sequence[str]]
Labels: TypeAlias = Mapping[str, str]

_Key: TypeAlias = "tuple[str, int | None]"
"""A step, or the line that is led from a step through a column."""


def draw(needs: Needs, labels: Labels, width: int | None = None) -> list[str]:
    """Return the lines of a drawing that takes at most `width` columns, if that can be.

    `needs` maps every step to the steps it needs; `labels` holds what is written for each, which
    may be coloured.
    """
    rows = boxes(needs, labels)
    if rows is None or (width is not None and any(width_of(row) > width for row in rows)):
        return tree(needs, labels)
    return rows


def boxes(needs: Needs, labels: Labels) -> list[str] | None:
    """Return the drawing in boxes; None for the rare graph whose lines would have to overlap."""
    layout = _Layout(reduced(needs), labels)
    canvas = Canvas()
    left = 0
    for column in range(len(layout.columns)):
        left = layout.draw_column(canvas, column, left)
        width = layout.draw_gutter(canvas, column, left)
        if width is None:
            return None
        left += width
    return canvas.rows()


def tree(needs: Needs, labels: Labels) -> list[str]:
    """Return the steps as a tree: each below the deepest of those it needs, the others named."""
    slim = reduced(needs)
    depth = {name: row for row, names in enumerate(Graph(slim).levels) for name in names}
    children: dict[str | None, list[str]] = {}
    for name, needed in slim.items():
        parent = max(needed, key=depth.__getitem__, default=None)
        children.setdefault(parent, []).append(name)
    lines: list[str] = []

    def grow(name: str, head: str, indent: str, parent: str | None) -> None:
        others = [need for need in slim[name] if need != parent]
        also = f"  ← also {', '.join(others)}" if others else ""
        lines.append(f"{head}{labels[name]}{also}")
        below = children.get(name, [])
        for child in below:
            last = child == below[-1]
            grow(
                child,
                indent + ("└─ " if last else "├─ "),
                indent + ("   " if last else "│  "),
                name,
            )

    for root in children.get(None, []):
        grow(root, "", "", None)
    return lines


def reduced(needs: Needs) -> dict[str, tuple[str, ...]]:
    """Return the needs without those that others imply."""
    graph = Graph(needs)
    slim = {}
    for name, needed in needs.items():
        implied = {above for need in needed for above in graph.before(need)}
        slim[name] = tuple(need for need in dict.fromkeys(needed) if need not in implied)
    return slim


@dataclass
class _Bundle:
    """Everything in one gutter that comes from the same places and goes to the same ones."""

    sources: list[_Key]
    targets: tuple[_Key, ...]
    entrances: dict[_Key, int] = field(default_factory=dict)
    exits: list[int] = field(default_factory=list)

    @property
    def rows(self) -> list[int]:
        return [*self.exits, *self.entrances.values()]

    @property
    def straight(self) -> bool:
        return len(set(self.rows)) == 1


class _Layout:
    """Who stands in which column and row."""

    def __init__(self, needs: Needs, labels: Labels) -> None:
        self._labels = labels
        self._followers: dict[_Key, list[_Key]] = {}
        self.columns: list[list[_Key]] = [
            [(name, None) for name in level] for level in Graph(needs).levels
        ]
        self._lead_through(needs)
        self.gutters = [self._bundles(column) for column in self.columns]
        self._sort()
        self._heights = self._measure()
        self._tops = self._stack()

    def _lead_through(self, needs: Needs) -> None:
        """Connect every step with those it needs, through the columns that lie between."""
        depth = {key[0]: place for place, keys in enumerate(self.columns) for key in keys}
        for name, needed in needs.items():
            for need in needed:
                before: _Key = (need, None)
                for place in range(depth[need] + 1, depth[name]):
                    here: _Key = (need, place)
                    if here not in self.columns[place]:
                        self.columns[place].append(here)
                        self._followers.setdefault(before, []).append(here)
                    before = here
                self._followers.setdefault(before, []).append((name, None))

    def _bundles(self, column: list[_Key]) -> list[_Bundle]:
        found: dict[frozenset[_Key], _Bundle] = {}
        for key in column:
            targets = tuple(self._followers.get(key, ()))
            if targets:
                found.setdefault(frozenset(targets), _Bundle([], targets)).sources.append(key)
        return list(found.values())

    def _sort(self) -> None:
        """Put each column in the order of what its members come from."""
        for place in range(1, len(self.columns)):
            rank = {key: row for row, key in enumerate(self.columns[place - 1])}
            feeding: dict[_Key, list[int]] = {}
            for bundle in self.gutters[place - 1]:
                for target in bundle.targets:
                    feeding.setdefault(target, []).extend(rank[s] for s in bundle.sources)
            column = self.columns[place]
            column.sort(key=lambda key: sum(feeding[key]) / len(feeding[key]))

    def _measure(self) -> dict[_Key, int]:
        entrances: dict[_Key, int] = {}
        for gutter in self.gutters:
            for bundle in gutter:
                for target in bundle.targets:
                    entrances[target] = entrances.get(target, 0) + 1
        return {
            key: 2 + max(entrances.get(key, 1), 1) if key[1] is None else 1
            for column in self.columns
            for key in column
        }

    def _stack(self) -> dict[_Key, int]:
        """Give each its first row; the columns stand centred beside each other."""
        heights = [sum(self._heights[key] for key in column) for column in self.columns]
        tops: dict[_Key, int] = {}
        for column, height in zip(self.columns, heights, strict=True):
            row = (max(heights) - height) // 2
            for key in column:
                tops[key] = row
                row += self._heights[key]
        return tops

    def draw_column(self, canvas: Canvas, place: int, left: int) -> int:
        """Draw a column's boxes and the lines through it; return the column after it."""
        names = [key[0] for key in self.columns[place] if key[1] is None]
        width = max(width_of(self._labels[name]) for name in names) + 4
        for key in self.columns[place]:
            if key[1] is None:
                label = self._labels[key[0]]
                canvas.box(left, self._tops[key], width, self._heights[key], label)
            else:
                canvas.horizontal(key, self._tops[key], left, left + width - 1)
        return left + width

    def draw_gutter(self, canvas: Canvas, place: int, left: int) -> int | None:
        """Draw the lines from a column to the next; return how wide that is, None if it cannot be.

        Each bundle has a track of its own, top to bottom, on which its lines meet.
        """
        bundles = self.gutters[place]
        if not bundles:
            return 0
        self._place(bundles)
        bent = _in_order([bundle for bundle in bundles if not bundle.straight])
        if bent is None:
            return None
        width = 2 * len(bent) + 2
        tracks = {id(bundle): left + 1 + 2 * row for row, bundle in enumerate(bent)}
        for bundle in bundles:
            _draw_bundle(canvas, bundle, left, tracks.get(id(bundle), left + 1), left + width - 1)
        return width

    def _place(self, bundles: list[_Bundle]) -> None:
        """Give every bundle its rows: where it leaves its sources, where it enters its targets."""
        for bundle in bundles:
            bundle.exits = [self._tops[key] + self._heights[key] // 2 for key in bundle.sources]
        taken: dict[_Key, int] = {}
        for bundle in sorted(bundles, key=lambda b: sum(b.exits) / len(b.exits)):
            for target in bundle.targets:
                first = self._tops[target] + (1 if target[1] is None else 0)
                bundle.entrances[target] = first + taken.get(target, 0)
                taken[target] = taken.get(target, 0) + 1


def _draw_bundle(canvas: Canvas, bundle: _Bundle, left: int, track: int, right: int) -> None:
    owner = id(bundle)
    canvas.vertical(owner, track, min(bundle.rows), max(bundle.rows))
    for row in bundle.exits:
        canvas.horizontal(owner, row, left, track)
    for target, row in bundle.entrances.items():
        canvas.horizontal(owner, row, track, right)
        if target[1] is None:
            canvas.text(right, row, "▶")


def _in_order(bundles: list[_Bundle]) -> list[_Bundle] | None:
    """Return the bundles from left to right so that no two lie on one another; None if none can.

    Where one leaves a box in the row in which another enters one, it must turn off before.
    """
    waiting, placed = list(bundles), list[_Bundle]()
    while waiting:
        free = [b for b in waiting if not any(_overlap(b, o) for o in waiting if o is not b)]
        if not free:
            return None
        placed.append(free[0])
        waiting.remove(free[0])
    return placed


def _overlap(bundle: _Bundle, other: _Bundle) -> bool:
    """Return whether `other`, if it came after `bundle`, would lie on it."""
    return bool(set(bundle.entrances.values()) & set(other.exits))
