"""The graph reads as it should: order, levels, cycles, reach, and the longest way through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.graph import Graph, find_cycle, unknown_needs
from tests.pipelines.counting import steps

Needs = Mapping[str, Sequence[str]]

DIAMOND: Needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({}, ()),
        ({"a": []}, ("a",)),
        ({"b": [], "a": []}, ("b", "a")),
        ({"a": ["b"], "b": []}, ("b", "a")),
        (DIAMOND, ("a", "b", "c", "d")),
        ({"late": ["x"], "x": [], "y": []}, ("x", "late", "y")),
    ],
)
def test_order_is_topological_and_otherwise_that_of_the_file(
    needs: Needs, order: tuple[str, ...]
) -> None:
    assert Graph(needs).order == order


@pytest.mark.parametrize(
    ("needs", "levels"),
    [
        ({}, ()),
        ({"b": [], "a": []}, (("b", "a"),)),
        (DIAMOND, (("a",), ("b", "c"), ("d",))),
        ({"d": ["c", "a"], "a": [], "b": ["a"], "c": ["b"]}, (("a",), ("b",), ("c",), ("d",))),
    ],
)
def test_levels(needs: Needs, levels: tuple[tuple[str, ...], ...]) -> None:
    assert Graph(needs).levels == levels


def test_neighbours_and_reach() -> None:
    graph = Graph({**DIAMOND, "e": [], "f": ["d", "d"]})
    assert graph.dependents["a"] == ("b", "c")
    assert graph.dependents["d"] == ("f",)
    assert graph.sinks == ("e", "f")
    assert graph.before("d") == {"a", "b", "c"}
    assert graph.before("a") == frozenset()
    assert graph.after(["b"]) == {"d", "f"}
    assert graph.after(["a", "e"]) == {"b", "c", "d", "f"}
    assert graph.after([]) == frozenset()


@pytest.mark.parametrize(
    ("needs", "cycle"),
    [
        ({}, ()),
        (DIAMOND, ()),
        ({"a": ["a"]}, ("a",)),
        ({"a": ["b"], "b": ["a"]}, ("b", "a")),
        ({"a": ["ghost"]}, ()),
    ],
)
def test_find_cycle(needs: Needs, cycle: tuple[str, ...]) -> None:
    assert find_cycle(needs) == cycle


def test_every_step_of_a_cycle_needs_the_next() -> None:
    needs = {"start": [], "a": ["start", "c"], "b": ["a"], "c": ["b"], "end": ["c"]}
    cycle = find_cycle(needs)
    assert sorted(cycle) == ["a", "b", "c"]
    for name, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
        assert following in needs[name]


def test_unknown_needs_name_the_place() -> None:
    assert unknown_needs({"a": ["b", "x"], "b": ["y"]}) == (("a", 1, "x"), ("b", 0, "y"))
    assert unknown_needs(DIAMOND) == ()


@pytest.mark.parametrize(
    ("durations", "path"),
    [
        ({"a": 1, "b": 5, "c": 2, "d": 1}, ("a", "b", "d")),
        ({"a": 1, "b": 2, "c": 5, "d": 1}, ("a", "c", "d")),
        ({"a": 9}, ("a",)),
    ],
)
def test_critical_path(durations: Mapping[str, float], path: tuple[str, ...]) -> None:
    assert Graph(DIAMOND).critical_path(durations) == path


def test_critical_path_of_nothing() -> None:
    assert Graph({}).critical_path({}) == ()


@st.composite
def acyclic(draw: st.DrawFn) -> Needs:
    names = [f"s{n}" for n in range(draw(st.integers(0, 12)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), max_size=4)) if place else []
        for place, name in enumerate(names)
    }


@given(acyclic())
def test_against_the_definitions(needs: Needs) -> None:
    graph = Graph(needs)
    place = {name: position for position, name in enumerate(graph.order)}
    assert sorted(place) == sorted(needs)
    assert all(place[need] < place[name] for name in needs for need in needs[name])
    depth = {name: level for level, row in enumerate(graph.levels) for name in row}
    for name, needed in needs.items():
        assert depth[name] == 1 + max((depth[need] for need in needed), default=-1)
        assert graph.before(name) == _reach(needs, name)
        assert graph.after([name]) == {other for other in needs if name in _reach(needs, other)}


def _reach(needs: Needs, name: str) -> set[str]:
    return {n for need in needs[name] for n in {need, *_reach(needs, need)}}


@given(acyclic())
def test_comes_before_is_before(needs: Needs) -> None:
    graph = Graph(needs)
    for later in needs:
        assert {first for first in needs if graph.comes_before(first, later)} == graph.before(later)


def test_of_several_cycles_the_one_with_the_earliest_step_is_found() -> None:
    needs = {"x": ["d"], "a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}
    assert find_cycle(needs) == ("b", "a")
    assert find_cycle({"free": [], "self": ["self"], **needs}) == ("self",)


def test_looking_for_a_cycle_takes_twice_as_long_in_a_graph_twice_as_large() -> None:
    def chain(size: int) -> Needs:
        return {f"s{n}": [f"s{n - 1}"] if n else [] for n in reversed(range(size))}

    small, large = chain(500), chain(1000)
    assert steps(lambda: find_cycle(large)) < 2.5 * steps(lambda: find_cycle(small))
