"""What a sweep has removed, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Removed(StrEnum):
    """What there is to remove."""

    RUNS = "runs"
    DELIVERIES = "deliveries"
    SNAPSHOTS = "snapshots"
    PACKS = "packs"
    LEFTOVERS = "leftovers"
    LOGS = "logs"


@dataclass
class Report:
    """What a sweep has removed so far, how many bytes that were, and what it found amiss.

    `missing` and `damaged` are the digests of snapshots that runs need and that cannot be read.
    """

    removed: Counter[Removed] = field(default_factory=Counter)
    size: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def sentence(self, verb: str = "removed") -> str:
        """Return it in words."""
        counts = [f"{self.removed[kind]} {kind}" for kind in Removed if self.removed[kind]]
        told = f"{verb} {', '.join(counts)}, {_shown(self.size)}" if counts else "nothing to remove"
        for word, digests in (("missing", self.missing), ("damaged", self.damaged)):
            if digests:
                told += (
                    f"; {len(digests)} snapshots that runs need are {word}, such as {digests[0]}"
                )
        return told

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        counts = {str(kind): self.removed[kind] for kind in Removed}
        return {**counts, "bytes": self.size, "missing": self.missing, "damaged": self.damaged}


def _shown(size: int) -> str:
    """Return a number of bytes in the largest unit of which there is one, with one decimal."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
