"""A server as it is killed: starts the attempt it is told of and then does nothing.

Run with the folders of attempts, objects and logs, and the step's input; its order is that of
`order`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runner.executors.base import AttemptId, Order
from runner.executors.local import LocalExecutor
from runner.logs import LogBook
from runner.objects.filesystem import FilesystemStore
from tests.runner.executors.bench import interpreter


def order(digest: str, gate: str) -> Order:
    """Return the order of a step that waits until somebody opens the FIFO `gate`."""
    script = 'echo ready; cat "$GATE"; echo over'
    return Order(
        attempt=AttemptId("run-1", "outlive", 1),
        command=("sh", "-c", script),
        environment={"GATE": gate},
        input=digest,
        timeout=60.0,
    )


def main(root: str, store: str, logs: str, digest: str, gate: str) -> None:
    """Start the attempt, say so, and wait for the end of the input, which does not come."""
    book = LogBook(Path(logs), FilesystemStore(Path(store)))
    executor = LocalExecutor(Path(root), objects=Path(store), logs=book, interpreter=interpreter())
    executor.start(order(digest, gate))
    sys.stdout.write("started\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
