"""Where each step of a run is drawn: boxes in their columns, and wires that curve between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil
from typing import TypeAlias

from pipelines.graph import Graph
from runner.web.columns import Columns, Needs, columns_of, common_name

Point: TypeAlias = tuple[float, float]

TALLEST = 12
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
    parts = [columns_of(Graph(each)) for each in (needs, finally_needs) if each]
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


def _tallest(part: Columns, measures: Measures) -> float:
    return max(_column_height(part, column, measures) for column in part.columns)


def _column_height(part: Columns, column: list[str], measures: Measures) -> float:
    heights = [_size(part.members.get(name, ()), 0.0, measures)[1] for name in column]
    return sum(heights) + measures.gap * (len(heights) - 1)


def _cell(part: Columns, column: list[str], sheet: _Sheet) -> float:
    """Return how wide the boxes of a column are."""
    names = [name for bundle in column for name in part.members.get(bundle, ())]
    return max(sheet.width_of(part.labels[name]) for name in names)


def _place(part: Columns, sheet: _Sheet, height: float) -> None:
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


def _fill(part: Columns, bundle: str, cell: float, sheet: _Sheet) -> None:
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
