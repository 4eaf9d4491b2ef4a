"""The directed acyclic graph of a pipeline: who needs whom, in which order, how deep.

The only module that knows networkx. Everything is deterministic: where the graph leaves a choice,
the order in which the steps stand in the file decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx


@dataclass(frozen=True)
class Graph:
    """Steps and what each needs; `needs` maps every step to the steps it needs, in file order.

    Every name in a `needs` must be a step of the graph, and there must be no cycle; ask
    `unknown_needs` and `find_cycle` before building one from what a person wrote.
    """

    needs: Mapping[str, Sequence[str]]

    @cached_property
    def _digraph(self) -> networkx.DiGraph[str]:
        return _digraph(self.needs)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """All steps, each after those it needs, otherwise as they stand in the file."""
        place = {name: position for position, name in enumerate(self.needs)}
        return tuple(networkx.lexicographical_topological_sort(self._digraph, place.__getitem__))

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """For every step the steps that need it directly, in file order."""
        found: dict[str, list[str]] = {name: [] for name in self.needs}
        for name, needed in self.needs.items():
            for need in dict.fromkeys(needed):
                found[need].append(name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The steps by depth: the first level needs nothing, each other one the level before."""
        depth: dict[str, int] = {}
        for name in self.order:
            depth[name] = 1 + max((depth[need] for need in self.needs[name]), default=-1)
        rows: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
        for name in self.needs:
            rows[depth[name]].append(name)
        return tuple(tuple(row) for row in rows)

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The steps that nobody needs, in file order."""
        return tuple(name for name in self.needs if not self.dependents[name])

    def before(self, name: str) -> frozenset[str]:
        """Return every step that must have ended before this one can start."""
        return frozenset(networkx.ancestors(self._digraph, name))

    def after(self, names: Iterable[str]) -> frozenset[str]:
        """Return every step that waits, directly or not, for one of these; without themselves."""
        seen: set[str] = set()
        todo = list(names)
        while todo:
            for dependent in self.dependents[todo.pop()]:
                if dependent not in seen:
                    seen.add(dependent)
                    todo.append(dependent)
        return frozenset(seen)

    def critical_path(self, durations: Mapping[str, float]) -> tuple[str, ...]:
        """Return the chain that takes longest; a step without a duration takes no time."""
        best: dict[str, tuple[float, str | None]] = {}
        for name in self.order:
            longest = max(self.needs[name], key=lambda need: best[need][0], default=None)
            so_far = best[longest][0] if longest is not None else 0.0
            best[name] = (so_far + durations.get(name, 0.0), longest)
        path: list[str] = []
        here = max(self.order, key=lambda name: best[name][0], default=None)
        while here is not None:
            path.append(here)
            here = best[here][1]
        return tuple(reversed(path))


def unknown_needs(needs: Mapping[str, Sequence[str]]) -> tuple[tuple[str, int, str], ...]:
    """Return (step, index in its needs, the name) for every need that names no step."""
    return tuple(
        (name, index, need)
        for name, needed in needs.items()
        for index, need in enumerate(needed)
        if need not in needs
    )


def find_cycle(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the steps of one cycle, each needing the next and the last the first; () if none.

    Needs that name no step are passed over.
    """
    try:
        edges = networkx.find_cycle(_digraph(needs))
    except networkx.NetworkXNoCycle:
        return ()
    return tuple(reversed([edge[0] for edge in edges]))


def _digraph(needs: Mapping[str, Sequence[str]]) -> networkx.DiGraph[str]:
    digraph: networkx.DiGraph[str] = networkx.DiGraph()
    digraph.add_nodes_from(needs)
    digraph.add_edges_from(
        (need, name) for name, needed in needs.items() for need in needed if need in needs
    )
    return digraph
