"""A local executor with a store and logs in a folder, and few words to run steps with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.agent.folder import Folder
from runner.executors.base import AttemptId, Order, Phase, Result
from runner.executors.local import INTERPRETER, LocalExecutor
from runner.logs import LogBook
from runner.objects.filesystem import FilesystemStore
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots
from tests.runner.executors.contract import PATIENCE, Ear
from tests.support.agents import end_agents

RUN = "run-1"


def interpreter() -> tuple[str, ...]:
    """Return how agents are started; in a measured run they are measured too."""
    wanted = os.environ.get("COVERAGE_PROCESS_CONFIG")
    if wanted is None:
        return INTERPRETER
    return ("env", f"COVERAGE_PROCESS_CONFIG={wanted}", sys.executable, "-X", "utf8")


def wrapped(script: str) -> tuple[str, ...]:
    """Return an interpreter that does something in a shell before it becomes the agent."""
    return ("sh", "-c", f'{script}\nexec "$@"', "agent", *interpreter())


class Bench:
    """What a test needs to run steps as processes below `path`."""

    def __init__(self, path: Path) -> None:
        self.root = path / "attempts"
        self.store = path / "objects"
        self.logs = LogBook(path / "logs", FilesystemStore(self.store))
        self.snapshots = Snapshots(FilesystemStore(self.store))
        self._path = path
        self._executors: list[LocalExecutor] = []
        self._orders: list[Order] = []
        self._count = 0
        self.executor = self.new_executor()
        self.ear = Ear(self.executor)

    def new_executor(self, **options: Any) -> LocalExecutor:
        """Return another executor over the same folders."""
        options.setdefault("interpreter", interpreter())
        executor = LocalExecutor(self.root, objects=self.store, logs=self.logs, **options)
        self._executors.append(executor)
        return executor

    def use(self, **options: Any) -> None:
        """Make the executor one with other options."""
        self.executor = self.new_executor(**options)
        self.ear = Ear(self.executor)

    def snapshot(self, files: Mapping[str, str]) -> str:
        """Return the digest of a snapshot of these files."""
        self._count += 1
        tree = self._path / f"source-{self._count}"
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        tree.mkdir(exist_ok=True)
        return capture(tree, EMPTY, Index(), self.snapshots, parents=()).digest

    def order(self, script: str = "true", **changes: Any) -> Order:
        """Return the order of a new step that runs a shell script, by default on no files."""
        self._count += 1
        order = Order(
            attempt=AttemptId(RUN, f"step {self._count}", 1),
            command=("sh", "-c", script),
            environment={},
            input="",
            timeout=60.0,
            grace=5.0,
        )
        changed = replace(order, **changes)
        return changed if changed.input else replace(changed, input=self.snapshot({}))

    def start(self, script: str = "true", **changes: Any) -> Order:
        """Start a step and return its order."""
        order = self.order(script, **changes)
        self._orders.append(order)
        self.executor.start(order)
        return order

    def start_and_see(self, script: str, **changes: Any) -> Order:
        """Start a step and return its order when its script says so: it must print `ready`."""
        order = self.start(script, **changes)
        self.ear.until(order.attempt, Phase.RUNNING, Phase.ENDED)
        while "ready" not in self.text(order):
            assert self.executor.look(order.attempt).phase is not Phase.ENDED, self.text(order)
            time.sleep(0.005)
        return order

    def end(self, order: Order) -> Result:
        """Return the result of a step when it has ended."""
        return self.ear.end_of(order.attempt)

    def run(self, script: str = "true", **changes: Any) -> Result:
        """Run a step to its end and return its result."""
        return self.end(self.start(script, **changes))

    def text(self, order: Order) -> list[str]:
        """Return the texts of the lines in the log of a step."""
        return [line.text for line in self.logs.read(order.attempt)]

    def last_text(self) -> list[str]:
        """Return the texts of the lines in the log of the step that was started last."""
        return self.text(self._orders[-1])

    def files(self, digest: str | None) -> dict[str, str]:
        """Return the files of a snapshot, by path, with the digests of their contents."""
        assert digest is not None
        return {entry.path: entry.digest for entry in self.snapshots.load(digest).files()}

    def folder(self, order: Order) -> Folder:
        """Return the folder of an attempt."""
        return Folder(self.root / order.attempt.run / order.attempt.name)

    def agent(self, order: Order) -> int:
        """Return the process id of the agent of an attempt that runs."""
        process = self.folder(order).read_pid()
        assert process is not None
        return process

    def settle(self) -> None:
        """Return when every watch has ended, and with it what it waits for."""
        for thread in threading.enumerate():
            if thread.name.startswith("watch "):
                thread.join(PATIENCE)
                assert not thread.is_alive(), thread.name

    def close(self) -> None:
        """End what still runs, whoever started it, and stop to watch."""
        end_agents(self.root)
        self.settle()
        for executor in self._executors:
            executor.close()


def alive(process: int) -> bool:
    """Return whether a process lives; one that only its new parent has not collected does not."""
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()[:1] not in {"", "Z"}


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Iterator[Bench]:
    """Give a bench; what a test left running ends with it."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()
