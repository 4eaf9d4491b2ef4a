from __future__ import annotations

import pytest

from pipelines.graph import Graph
from runner.web.columns import columns_of, common_name


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (("test (a=1)", "test (a=2)"), "test"),
        (("test (a=1)",), ""),
        (("test (a=1)", "lint (a=1)"), ""),
        (("test (a=1)", "test"), ""),
        ((), ""),
    ],
)
def test_what_names_have_in_common(names: tuple[str, ...], common: str) -> None:
    assert common_name(names) == common


def test_who_stands_together() -> None:
    graph = Graph({"a": (), "x": ("a",), "y": ("a",), "z": ("a",), "end": ("x", "y", "z")})
    found = columns_of(graph)
    assert found.columns == [["a"], ["x"], ["end"]]
    assert found.members == {"a": ("a",), "x": ("x", "y", "z"), "end": ("end",)}
    assert found.chains == [("a", "x"), ("x", "end")]


def test_two_of_a_kind_are_no_bundle() -> None:
    graph = Graph({"a": (), "x": ("a",), "y": ("a",)})
    assert columns_of(graph).columns == [["a"], ["x", "y"]]


def test_columns_are_sorted_so_that_wires_do_not_cross() -> None:
    graph = Graph({"a": (), "b": (), "of b": ("b",), "of a": ("a",)})
    first, second = columns_of(graph).columns
    assert [name.removeprefix("of ") for name in second] == first


def test_a_long_wire_passes_a_lane_in_each_column_between() -> None:
    graph = Graph({"a": (), "b": (), "c": ("b",), "d": ("c",), "e": ("d", "a")})
    found = columns_of(graph)
    (long,) = [chain for chain in found.chains if len(chain) > 2]
    assert (long[0], long[-1]) == ("a", "e")
    assert [len(column) for column in found.columns] == [2, 2, 2, 1]
    assert all(lane in column for lane, column in zip(long[1:-1], found.columns[1:], strict=False))
