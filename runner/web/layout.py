"""Where each step of a run is drawn: columns by depth, wires that pass between the boxes.

Steps that need the same and are needed by the same (a matrix, most of all) are bundled into one
frame, so that one wire stands for what would be dozens. A wire that another path already says is
left out. Wires over more than one column get a lane of their own in the columns between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil
from typing import TypeAlias

from pipelines.graph import Graph

Needs: TypeAlias = Mapping[str, Sequence[str]]
Point: TypeAlias = tuple[float, float]

BUNDLED = 3
TALLEST = 12
SWEEPS = 3
_LANE = 8.0


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Sizes in pixels."""

    height: float = 46.0
    gap: float = 12.0
    inner_gap: float = 8.0
    between: float = 46.0
    padding: float = 10.0
    heading: float = 16.0
    margin: float = 16.0


@dataclass(frozen=True)
class Box:
    """A rectangle; `label` is written in it.

    `name` is the step drawn in it. Around steps it is a frame and has none; its label, if any, is
    what their names have in common, and theirs what is left of them.
    """

    name: str
    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """A drawing: its size, its boxes, the frames behind them, and the wires.

    The points of a wire come in pairs: it curves from the first to the second, then goes straight
    to the third, and so on. `divider` is where those steps begin that run after all others.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    frames: tuple[Box, ...]
    wires: tuple[tuple[Point, ...], ...]
    divider: float | None


@dataclass(frozen=True)
class _Part:
    """A graph in columns: names of bundles and lanes, who is in each bundle, and the wires."""

    columns: list[list[str]]
    members: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]
    chains: list[tuple[str, ...]]


@dataclass
class _Sheet:
    """What has been placed so far; `width_of` says how wide a box with a label wants to be."""

    measures: Measures
    width_of: Callable[[str], float]
    x: float
    boxes: list[Box] = field(default_factory=list)
    frames: list[Box] = field(default_factory=list)
    places: dict[str, Box] = field(default_factory=dict)


def arrange(
    needs: Needs,
    finally_needs: Needs,
    width_of: Callable[[str], float],
    measures: Measures = Measures(),
) -> Layout:
    """Return the drawing of a run's steps, and of those that come after all others.

    `width_of` says how many pixels a box with a label would like; those of a column are alike.
    """
    parts = [_part(Graph(each)) for each in (needs, finally_needs) if each]
    height = max((_tallest(part, measures) for part in parts), default=0.0)
    sheet = _Sheet(measures, width_of, measures.margin)
    divider = None
    for part in parts:
        if sheet.places:
            divider = sheet.x + measures.between / 2
            sheet.x += measures.between
        _place(part, sheet, height)
    wires = [_wire(chain, sheet.places) for part in parts for chain in part.chains]
    return Layout(
        width=sheet.x + measures.margin,
        height=height + 2 * measures.margin,
        boxes=tuple(sheet.boxes),
        frames=tuple(sheet.frames),
        wires=tuple(wires),
        divider=divider,
    )


def common_name(names: Sequence[str]) -> str:
    """Return what stands before the matrix values in the names of all these steps, or nothing."""
    starts = {name.partition(" (")[0] for name in names if name.endswith(")") and " (" in name}
    whole = len(names) > 1 and all(name.endswith(")") and " (" in name for name in names)
    return starts.pop() if whole and len(starts) == 1 else ""


def _part(graph: Graph) -> _Part:
    members = _bundles(graph)
    owner = {name: bundle for bundle, names in members.items() for name in names}
    coarse = {
        bundle: tuple(dict.fromkeys(owner[need] for need in graph.needs[bundle]))
        for bundle in members
    }
    reduced = _reduced(Graph(coarse))
    columns = [list(level) for level in Graph(reduced).levels]
    chains = _chains(reduced, columns)
    _order(columns, chains)
    return _Part(columns, members, _labels(members), chains)


def _labels(members: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return what is written in the box of each step."""
    return {
        name: name.partition(" (")[2].removesuffix(")") if common_name(names) else name
        for names in members.values()
        for name in names
    }


def _bundles(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return, by the name of its first step, who stands together."""
    alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for name in graph.needs:
        key = (frozenset(graph.needs[name]), frozenset(graph.dependents[name]))
        alike.setdefault(key, []).append(name)
    found: dict[str, tuple[str, ...]] = {}
    for names in alike.values():
        if len(names) >= BUNDLED:
            found[names[0]] = tuple(names)
        else:
            found.update({name: (name,) for name in names})
    return {name: found[name] for name in graph.needs if name in found}


def _reduced(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return the needs without those that another need already stands for."""
    before = {name: graph.before(name) for name in graph.needs}
    return {
        name: tuple(need for need in needs if not any(need in before[other] for other in needs))
        for name, needs in graph.needs.items()
    }


def _chains(needs: Needs, columns: list[list[str]]) -> list[tuple[str, ...]]:
    """Return each wire as the names it passes; lanes are added to the columns between."""
    depth = {name: column for column, names in enumerate(columns) for name in names}
    chains = []
    for name, needed in needs.items():
        for need in needed:
            # No step has a NUL in its name, so that no lane can be mistaken for one.
            between = range(depth[need] + 1, depth[name])
            lanes = [f"\0{need}\0{name}\0{column}" for column in between]
            for column, lane in zip(between, lanes, strict=True):
                columns[column].append(lane)
            chains.append((need, *lanes, name))
    return chains


def _order(columns: list[list[str]], chains: list[tuple[str, ...]]) -> None:
    """Sort each column so that few wires cross: by the mean place of what it is wired to."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains:
        for left, right in pairwise(chain):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    for _ in range(SWEEPS):
        for column in columns[::-1]:
            _sort(column, after, columns)
        for column in columns:
            _sort(column, before, columns)


def _sort(column: list[str], wired: Mapping[str, list[str]], columns: list[list[str]]) -> None:
    place = {name: (i + 0.5) / len(names) for names in columns for i, name in enumerate(names)}

    def mean(name: str) -> float:
        others = wired.get(name)
        if not others:
            return place[name]
        return sum(place[other] for other in others) / len(others)

    column.sort(key=mean)


def _size(names: Sequence[str], cell: float, measures: Measures) -> tuple[float, float]:
    """Return the width and height of a bundle whose boxes are `cell` wide, or of a lane."""
    if not names:
        return 0.0, _LANE
    across, down = _grid(len(names))
    width = across * (cell + measures.inner_gap) - measures.inner_gap
    height = down * (measures.height + measures.inner_gap) - measures.inner_gap
    if len(names) > 1:
        width += 2 * measures.padding
        height += 2 * measures.padding + _heading(names, measures)
    return width, height


def _heading(names: Sequence[str], measures: Measures) -> float:
    return measures.heading if common_name(names) else 0.0


def _grid(count: int) -> tuple[int, int]:
    across = ceil(count / TALLEST)
    return across, ceil(count / across)


def _tallest(part: _Part, measures: Measures) -> float:
    return max(_column_height(part, column, measures) for column in part.columns)


def _column_height(part: _Part, column: list[str], measures: Measures) -> float:
    heights = [_size(part.members.get(name, ()), 0.0, measures)[1] for name in column]
    return sum(heights) + measures.gap * (len(heights) - 1)


def _cell(part: _Part, column: list[str], sheet: _Sheet) -> float:
    """Return how wide the boxes of a column are."""
    names = [name for bundle in column for name in part.members.get(bundle, ())]
    return max(sheet.width_of(part.labels[name]) for name in names)


def _place(part: _Part, sheet: _Sheet, height: float) -> None:
    """Put a part's columns on the sheet, from where it is filled, each in the middle."""
    measures = sheet.measures
    for number, column in enumerate(part.columns):
        if number:
            sheet.x += measures.between
        cell = _cell(part, column, sheet)
        sizes = [_size(part.members.get(name, ()), cell, measures) for name in column]
        widest = max(width for width, _ in sizes)
        y = measures.margin + (height - _column_height(part, column, measures)) / 2
        for name, (width, tall) in zip(column, sizes, strict=True):
            x = sheet.x + (widest - width) / 2 if width else sheet.x
            sheet.places[name] = Box("", "", x, y, width or widest, tall)
            _fill(part, name, cell, sheet)
            y += tall + measures.gap
        sheet.x += widest


def _fill(part: _Part, bundle: str, cell: float, sheet: _Sheet) -> None:
    """Put the steps of a bundle into its place, column by column."""
    measures, place = sheet.measures, sheet.places[bundle]
    names = part.members.get(bundle, ())
    left, top = place.x, place.y
    if len(names) > 1:
        sheet.frames.append(replace(place, label=common_name(names)))
        left += measures.padding
        top += measures.padding + _heading(names, measures)
    _, down = _grid(max(len(names), 1))
    for number, name in enumerate(names):
        x = left + number // down * (cell + measures.inner_gap)
        y = top + number % down * (measures.height + measures.inner_gap)
        sheet.boxes.append(Box(name, part.labels[name], x, y, cell, measures.height))


def _wire(chain: tuple[str, ...], places: Mapping[str, Box]) -> tuple[Point, ...]:
    points: list[Point] = []
    for left, right in pairwise(chain):
        start, end = places[left], places[right]
        points.append((start.x + start.width, start.y + start.height / 2))
        points.append((end.x, end.y + end.height / 2))
    return tuple(points)
