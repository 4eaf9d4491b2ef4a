"""An attempt begins with the merge of what its needs left, or ends with a named reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.schema import OnConflict
from pipelines.states import Cause, Outcome
from runner.executors.base import AttemptId, Order
from runner.executors.fake import FakeExecutor, FakeWorld, Verb
from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.starting import Failed, Started, Starter
from runner.vault import VaultError
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots

ATTEMPT = AttemptId("run", "step", 1)


def order(snapshot: str) -> Order:
    return Order(attempt=ATTEMPT, command=("true",), environment={}, input=snapshot)


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def snapshots() -> Snapshots:
    return Snapshots(MemoryStore())


@pytest.fixture
def left(snapshots: Snapshots, tmp_path: Path) -> Callable[..., str]:
    def leave(name: str, parent: str, **files: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for path, text in files.items():
            (folder / path).write_text(text)
        return capture(folder, EMPTY, Index(), snapshots, (parent,)).digest

    return leave


def test_branches_come_together(
    world: FakeWorld, snapshots: Snapshots, left: Callable[..., str]
) -> None:
    base = snapshots.save(EMPTY)
    inputs = [("a", left("a", base, x="1")), ("b", left("b", base, y="2"))]
    starter = Starter(snapshots, FakeExecutor(world))
    assert starter.start(order, inputs, OnConflict.FAIL) == Started(())
    merged = snapshots.load(world.orders[ATTEMPT].input)
    assert sorted(merged.entries) == ["x", "y"]


@pytest.mark.parametrize("paths", [1, 7])
def test_a_conflict_is_a_warning_or_a_failure(
    world: FakeWorld, snapshots: Snapshots, left: Callable[..., str], paths: int
) -> None:
    base = snapshots.save(EMPTY)
    names = [f"p{n}" for n in range(paths)]
    one = left("one", base, **dict.fromkeys(names, "1"))
    two = left("two", base, **dict.fromkeys(names, "2"))
    inputs = [("a", one), ("b", two)]
    starter = Starter(snapshots, FakeExecutor(world))
    failed = starter.start(order, inputs, OnConflict.FAIL)
    assert isinstance(failed, Failed)
    assert (failed.outcome, failed.cause) == (Outcome.FAILURE, Cause.WORKSPACE)
    assert world.orders == {}
    started = starter.start(order, inputs, OnConflict.WARN)
    assert isinstance(started, Started)
    assert started.warnings[0] == "`p0` was changed by `a` and by `b`, which won"
    assert (paths > 5) == ("and 2 more paths were changed by two steps" in started.warnings)


def test_what_goes_wrong_has_a_cause(world: FakeWorld, snapshots: Snapshots) -> None:
    starter = Starter(snapshots, FakeExecutor(world))
    missing = starter.start(order, [("a", "0" * 64), ("b", "1" * 64)], OnConflict.WARN)
    assert isinstance(missing, Failed)
    assert missing.cause in (Cause.WORKSPACE, Cause.STORAGE)

    base = snapshots.save(EMPTY)
    world.refuse(Verb.START, "no place")
    refused = starter.start(order, [("source", base)], OnConflict.WARN)
    assert refused == Failed(Outcome.ERROR, Cause.EXECUTOR, "no place")

    def broken(_snapshot: str) -> Order:
        message = "a mistake of ours"
        raise RuntimeError(message)

    ours = starter.start(broken, [("source", base)], OnConflict.WARN)
    assert ours == Failed(Outcome.ERROR, Cause.EXECUTOR, "internal error: a mistake of ours")

    def locked(_snapshot: str) -> Order:
        message = "there is no such secret"
        raise VaultError(message)

    assert starter.start(locked, [("source", base)], OnConflict.WARN) == Failed(
        Outcome.ERROR, Cause.CONFIG, "there is no such secret"
    )

    def full(_snapshot: str) -> Order:
        message = "the disk is full"
        raise ObjectStoreError(message)

    assert starter.start(full, [("source", base)], OnConflict.WARN) == Failed(
        Outcome.ERROR, Cause.STORAGE, "the disk is full"
    )


def test_a_failure_tells_the_machine_that_nothing_ran() -> None:
    told = Failed(Outcome.ERROR, Cause.STORAGE, "full").ended(ATTEMPT, 7.0)
    assert (told.at, told.step, told.attempt, told.ran) == (7.0, "step", 1, False)
