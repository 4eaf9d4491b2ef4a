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
        place = self._place.__getitem__
        return tuple(networkx.lexicographical_topological_sort(self._digraph, place))

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

    def comes_before(self, first: str, later: str) -> bool:
        """Return whether a step must have ended before another can start; quick when asked often."""
        return bool(self._all_before[later] >> self._place[first] & 1)

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.needs)}

    @cached_property
    def _all_before(self) -> Mapping[str, int]:
        """For every step those before it, one bit each: little, even for many thousand steps."""
        found: dict[str, int] = {}
        for name in self.order:
            found[name] = 0
            for need in self.needs[name]:
                found[name] |= found[need] | 1 << self._place[need]
        return found

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

    Needs that name no step are passed over. Of several cycles one in which the earliest step of
    the file stands comes first.
    """
    digraph = _digraph(needs)
    tangled = {
        name: tangle
        for tangle in networkx.strongly_connected_components(digraph)
        for name in tangle
        if len(tangle) > 1 or digraph.has_edge(name, name)
    }
    first = next((name for name in needs if name in tangled), None)
    if first is None:
        return ()
    # Within one tangle, because networkx's search is quadratic where there is no cycle to find.
    inside = {name: needed for name, needed in needs.items() if name in tangled[first]}
    edges = networkx.find_cycle(_digraph(inside), first)
    return tuple(reversed([edge[0] for edge in edges]))


def _digraph(needs: Mapping[str, Sequence[str]]) -> networkx.DiGraph[str]:
    digraph: networkx.DiGraph[str] = networkx.DiGraph()
    digraph.add_nodes_from(needs)
    digraph.add_edges_from(
        (need, name) for name, needed in needs.items() for need in needed if need in needs
    )
    return digraph
