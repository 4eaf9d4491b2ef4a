"""The steps of a run in columns by depth: what is drawn together, and what each wire passes.

Steps that need the same and are needed by the same (a matrix, most of all) are bundled, so that one
wire stands for what would be dozens. A wire that another path already says is left out. Wires over
more than one column get a lane of their own in the columns between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from pipelines.graph import Graph

Needs: TypeAlias = Mapping[str, Sequence[str]]

BUNDLED = 3
SWEEPS = 3


@dataclass(frozen=True)
class Columns:
    """A graph in columns: names of bundles and lanes, from top to bottom.

    `members` has the steps of each bundle, `labels` what is written in the box of each step,
    `chains` the names that each wire passes from a bundle to another.
    """

    columns: list[list[str]]
    members: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]
    chains: list[tuple[str, ...]]


def columns_of(graph: Graph) -> Columns:
    """Return a graph in columns; the same graph gives the same columns."""
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
    return Columns(columns, members, _labels(members), chains)


def common_name(names: Sequence[str]) -> str:
    """Return what stands before the matrix values in the names of all these steps, or nothing."""
    starts = {name.partition(" (")[0] for name in names if name.endswith(")") and " (" in name}
    whole = len(names) > 1 and all(name.endswith(")") and " (" in name for name in names)
    return starts.pop() if whole and len(starts) == 1 else ""


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
