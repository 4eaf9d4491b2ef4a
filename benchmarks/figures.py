"""A figure, what it is held against, and how both are shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """Something measured, and its baseline measured in the same run; both in `unit`."""

    name: str
    unit: str
    value: float
    baseline: float
    against: str

    @property
    def ratio(self) -> float:
        """How many times the baseline the value is."""
        return self.value / self.baseline


def median_of(measure: Callable[[], float], rounds: int) -> float:
    """Return the median of several measurements."""
    return statistics.median(measure() for _ in range(rounds))


def table(figures: Iterable[Figure]) -> str:
    """Return figures as a table for people."""
    rows = [
        f"{f.name:<48} {f.value:>10.4g} {f.unit:<6} {f.ratio:>8.3g} x  {f.against} "
        f"({f.baseline:.4g})"
        for f in figures
    ]
    return "\n".join(rows)


def as_json(figures: Iterable[Figure]) -> str:
    """Return figures as JSON, one object a line."""
    return "\n".join(json.dumps({**asdict(f), "ratio": round(f.ratio, 4)}) for f in figures)
