"""Steps as Pods on the testbed: `python -m benchmarks.cluster [--json] [PART…]` (`make bench-cluster`).

Each figure and its baseline are measured in the same run, on the same node, and shown as they come.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

from benchmarks.cluster.chains import chains
from benchmarks.cluster.memory import memory
from benchmarks.cluster.workspaces import workspaces
from benchmarks.figures import Figure, as_json, table
from tests.support.cluster import Testbed, testbed_for_this_run

PARTS: Mapping[str, Callable[[Testbed], Iterator[Figure]]] = {
    "chains": chains,
    "workspaces": workspaces,
    "memory": memory,
}


def main(arguments: list[str]) -> None:
    """Measure what is asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster")
    parser.add_argument("part", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    with testbed_for_this_run() as testbed:
        for part in asked.part or PARTS:
            for figure in PARTS[part](testbed):
                print(as_json([figure]) if asked.json else table([figure]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
