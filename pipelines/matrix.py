"""One step for every combination of a matrix: the product of its axes, less and plus a few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TypeAlias

LIMIT = 256

Combination: TypeAlias = Mapping[str, str]


class MatrixTooLarge(ValueError):
    """A matrix has more combinations than are allowed."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"the matrix has {size} combinations, more than the {limit} allowed")


@dataclass(frozen=True)
class Matrix:
    """Axes by name, each with its values; combinations to leave out and to add.

    An `exclude` leaves out every combination that has all the values it names. An `include` is
    added as it stands, after the product, unless it is there already.
    """

    axes: Mapping[str, Sequence[str]]
    exclude: Sequence[Combination] = ()
    include: Sequence[Combination] = field(default=())

    def combinations(self, limit: int = LIMIT) -> tuple[Combination, ...]:
        """Return the combinations, the last axis turning fastest.

        Raises MatrixTooLarge before anything is built when there would be more than `limit`.
        """
        size = prod(len(values) for values in self.axes.values()) if self.axes else 0
        if size + len(self.include) > limit:
            raise MatrixTooLarge(size + len(self.include), limit)
        made = [
            combination
            for combination in self._product()
            if not any(_has(combination, values) for values in self.exclude)
        ]
        made.extend(dict(extra) for extra in self.include if dict(extra) not in made)
        return tuple(made)

    def _product(self) -> Iterable[dict[str, str]]:
        if not self.axes:
            return
        for values in product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))


def label(combination: Combination) -> str:
    """Return `key=value, …` as it stands in the name of an expanded step."""
    return ", ".join(f"{axis}={value}" for axis, value in combination.items())


def _has(combination: Combination, values: Combination) -> bool:
    return all(combination.get(axis) == value for axis, value in values.items())
