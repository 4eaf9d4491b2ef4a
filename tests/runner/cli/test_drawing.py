"""Drawings: as they look, and that a line can be followed from every step to exactly its dependents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.cli.drawing import boxes, draw, reduced, tree

DIAMOND = {
    "setup": [],
    "lint": ["setup"],
    "types": ["setup"],
    "contracts": ["setup"],
    "test 1": ["lint", "types", "contracts"],
    "test 2": ["lint", "types", "contracts"],
    "deploy": ["test 1", "test 2", "setup"],
}
UNEVEN = {
    "lint": [],
    "types": [],
    "test": ["lint", "types"],
    "docs": ["types"],
    "pub": ["docs", "lint"],
}


def plain(needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: name for name in needs}


def picture(rows: Sequence[str] | None) -> str:
    assert rows is not None
    return "\n" + "\n".join(rows) + "\n"


def test_boxes() -> None:
    assert (
        picture(boxes(DIAMOND, plain(DIAMOND)))
        == """
             ┌───────────┐
          ┌─▶│ lint      │─┐  ┌────────┐
          │  └───────────┘ ├─▶│ test 1 │─┐
┌───────┐ │  ┌───────────┐ │  └────────┘ │  ┌────────┐
│ setup │─┼─▶│ types     │─┤  ┌────────┐ ├─▶│ deploy │
└───────┘ │  └───────────┘ ├─▶│ test 2 │─┘  └────────┘
          │  ┌───────────┐ │  └────────┘
          └─▶│ contracts │─┘
             └───────────┘
"""
    )


def test_a_line_that_passes_a_column_and_a_step_with_two_entrances() -> None:
    assert (
        picture(boxes(UNEVEN, plain(UNEVEN)))
        == """
          ┌─────────────┐
┌───────┐ │    ┌──────┐ │
│ lint  │─┴───▶│      │ │  ┌─────┐
└───────┘   ┌─▶│ test │ ├─▶│ pub │
┌───────┐   │  └──────┘ │  └─────┘
│ types │───┤  ┌──────┐ │
└───────┘   └─▶│ docs │─┘
               └──────┘
"""
    )


def test_one_and_none() -> None:
    assert boxes({"one": []}, {"one": "one"}) == ["┌─────┐", "│ one │", "└─────┘"]
    assert draw({}, {}) == []


def test_colours_and_wide_characters_take_the_room_they_take() -> None:
    labels = {"a": click.style("✓ 漢字", fg="green"), "b": "b"}
    assert boxes({"a": [], "b": ["a"]}, labels) == [
        "┌────────┐  ┌───┐",
        "│ \x1b[32m✓ 漢字\x1b[0m │─▶│ b │",
        "└────────┘  └───┘",
    ]


def test_a_tree_where_boxes_are_too_wide() -> None:
    rows = draw(DIAMOND, plain(DIAMOND), 40)
    assert (
        picture(rows)
        == """
setup
├─ lint
│  ├─ test 1  ← also types, contracts
│  │  └─ deploy  ← also test 2
│  └─ test 2  ← also types, contracts
├─ types
└─ contracts
"""
    )
    assert draw(DIAMOND, plain(DIAMOND), 60) == boxes(DIAMOND, plain(DIAMOND))


def test_lines_that_would_have_to_overlap_give_a_tree() -> None:
    tangled = next(needs for needs in _dense() if boxes(needs, plain(needs)) is None)
    assert draw(tangled, plain(tangled)) == tree(tangled, plain(tangled))


def _dense() -> list[dict[str, list[str]]]:
    """Return graphs of two columns in which the sorting by means ends in a tie it cannot see."""
    names = ["a", "b", "c", "d"]
    subsets = [[n for i, n in enumerate(names) if bits >> i & 1] for bits in range(1, 16)]
    return [
        {"a": [], "b": [], "c": [], "d": [], "w": w, "x": x, "y": y, "z": z}
        for w in subsets
        for x in subsets
        for y in subsets
        for z in subsets[:3]
    ]


def test_needs_that_others_imply_are_left_out() -> None:
    assert reduced({"a": [], "b": ["a"], "c": ["a", "b", "b"]}) == {
        "a": (),
        "b": ("a",),
        "c": ("b",),
    }


@st.composite
def graphs(draw_: st.DrawFn) -> dict[str, list[str]]:
    count = draw_(st.integers(1, 9))
    needs: dict[str, list[str]] = {}
    for number in range(count):
        earlier = list(needs)
        chosen = (
            draw_(st.lists(st.sampled_from(earlier), unique=True, max_size=4)) if earlier else []
        )
        needs[f"s{number}"] = chosen
    return needs


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_every_line_leads_from_a_step_to_those_that_need_it(needs: dict[str, list[str]]) -> None:
    rows = boxes(needs, plain(needs))
    if rows is None:
        return
    expected = {(need, name) for name, needed in reduced(needs).items() for need in needed}
    assert followed(rows, needs) == expected


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_the_tree_names_every_step_once_and_all_it_needs(needs: dict[str, list[str]]) -> None:
    told: dict[str, set[str]] = {}
    above: list[str] = []
    for row in tree(needs, plain(needs)):
        head, _, also = row.partition("  ← also ")
        name = head.lstrip("│├└─ ")
        depth = (len(head) - len(name)) // 3
        above[depth:] = [name]
        assert name not in told
        told[name] = {*above[depth - 1 : depth], *(also.split(", ") if also else [])}
    assert told == {name: set(needed) for name, needed in reduced(needs).items()}


_UP, _DOWN, _LEFT, _RIGHT = (0, -1), (0, 1), (-1, 0), (1, 0)
_OPEN = {
    "│": {_UP, _DOWN},
    "─": {_LEFT, _RIGHT},
    "┌": {_DOWN, _RIGHT},
    "┐": {_DOWN, _LEFT},
    "└": {_UP, _RIGHT},
    "┘": {_UP, _LEFT},
    "├": {_UP, _DOWN, _RIGHT},
    "┤": {_UP, _DOWN, _LEFT},
    "┬": {_DOWN, _LEFT, _RIGHT},
    "┴": {_UP, _LEFT, _RIGHT},
    "┼": {_UP, _DOWN, _LEFT, _RIGHT},
}


def followed(rows: list[str], names: Mapping[str, object]) -> set[tuple[str, str]]:
    """Return (from, to) for every pair of boxes that lines connect, followed as an eye would."""
    sheet = {(x, y): char for y, row in enumerate(rows) for x, char in enumerate(row)}
    boxes_at: dict[tuple[int, int], str] = {}
    found = set()
    for name in names:
        y = next(y for y, row in enumerate(rows) if f"│ {name} " in row)
        left = rows[y].index(f"│ {name} ")
        right = rows[y].index("│", left + 1)
        top = next(row for row in range(y, -1, -1) if sheet[left, row] == "┌")
        bottom = next(row for row in range(y, len(rows)) if sheet[left, row] == "└")
        boxes_at |= {(left, row): name for row in range(top, bottom + 1)}
        starts = [(right + 1, y)]
        found |= {(name, where) for where in _reached(sheet, starts)}
    return {(name, boxes_at[where]) for name, where in found}


def _reached(
    sheet: Mapping[tuple[int, int], str], starts: list[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Return the cells right of the arrows that can be reached; crossings go straight on."""
    todo = [(*start, _RIGHT) for start in starts]
    seen, ends = set(todo), set()
    while todo:
        x, y, heading = todo.pop()
        char = sheet.get((x, y), " ")
        if char == "▶":
            ends.add((x + 1, y))
            continue
        onward = _OPEN.get(char, set())
        back = (-heading[0], -heading[1])
        turns = {heading} if char == "│" and heading == _RIGHT else onward - {back}
        for dx, dy in turns:
            step = (x + dx, y + dy, (dx, dy))
            # Lines lead from left to right; to follow one back is to look for other sources.
            if (dx, dy) != _LEFT and step not in seen:
                seen.add(step)
                todo.append(step)
    return ends
