"""All figures: `python -m benchmarks` (or `make bench`); `--json` for one JSON object a line."""

from __future__ import annotations

import sys

from benchmarks import accepting, chain, snapshot
from benchmarks.figures import as_json, table


def main() -> None:
    """Measure everything and show it."""
    figures = [*chain.measure(), *accepting.measure()]
    print(as_json(figures) if "--json" in sys.argv[1:] else table(figures))
    snapshot.main([])


if __name__ == "__main__":
    main()
