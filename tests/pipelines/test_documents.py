"""Where things stand in a file, also when they have no place of their own."""

from __future__ import annotations

import pytest

from pipelines.documents import Loc, Place, nearest
from pipelines.errors import Position

PLACES: dict[Loc, Place] = {
    (): Place(Position(1, 1)),
    ("steps",): Place(Position(2, 3)),
    ("steps", "a"): Place(Position(3, 5)),
}


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        ((), 1),
        (("steps",), 2),
        (("steps", "a"), 3),
        (("steps", "a", "needs", 0), 3),
        (("steps", "b"), 2),
        (("else", "where"), 1),
    ],
)
def test_what_has_no_place_stands_where_its_holder_does(loc: Loc, line: int) -> None:
    assert nearest(PLACES, loc).start.line == line


def test_an_empty_file_begins_somewhere() -> None:
    assert nearest({}, ("steps",)).start == Position(1, 1)


@pytest.mark.parametrize(
    ("inset", "column", "position"),
    [
        (0, 1, Position(4, 10)),
        (0, 5, Position(4, 14)),
        (1, 5, Position(4, 15)),
        (None, 5, Position(4, 10)),
    ],
)
def test_a_column_within_a_text(inset: int | None, column: int, position: Position) -> None:
    assert Place(Position(4, 10), inset).column(column) == position
