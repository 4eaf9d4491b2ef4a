"""A server may die at any moment: the run ends as it would have, and no step runs twice."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runner.database import runs
from runner.database.connection import Database, open_database
from runner.database.words import CommandKind
from runner.executors.scripts import fail, succeed
from tests.support.engines import Bench

GRAPH = """
steps:
  lint: {run: lint}
  unit: {run: unit, matrix: {python: ["3.11", "3.12"]}, needs: lint}
  docs: {run: docs, allow_failure: true}
  never: {run: never, when: event.branch == "other"}
  ship: {run: ship, needs: [unit, docs, never]}
finally:
  notify: {run: notify}
"""


class Crash(BaseException):
    """The server is dead from here on."""


@dataclass
class Fuse:
    """Counts effects and blows at one of them, before or after it has happened."""

    at: int
    after: bool
    count: int = 0

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def effected(*args: object, **named: object) -> object:
            self.count += 1
            mine = self.count == self.at
            if self.count > self.at or (mine and not self.after):
                raise Crash
            result = effect(*args, **named)
            if mine:
                raise Crash
            return result

        return effected


class Fused:
    """Anything whose named methods are effects; all else is passed through."""

    def __init__(self, behind: object, fuse: Fuse, effects: frozenset[str]) -> None:
        self._behind, self._fuse, self._effects = behind, fuse, effects

    def __getattr__(self, name: str) -> object:
        found = getattr(self._behind, name)
        return self._fuse.around(found) if name in self._effects else found


LEDGER = frozenset({"claim", "record", "remove", "settle", "commands"})
EXECUTOR = frozenset({"start", "stop", "forget"})
PREPARER = frozenset({"prepare"})


def arm(bench: Bench, fuse: Fuse) -> None:
    """Give the bench an engine that dies where the fuse says."""

    def fused(effects: frozenset[str]) -> Callable[[Any], Any]:
        return lambda behind: Fused(behind, fuse, effects)

    bench.new_engine(ledger=fused(LEDGER), executor=fused(EXECUTOR), preparer=fused(PREPARER))


def story(bench: Bench) -> Iterator[None]:
    """Play a run that fails, is run again where it failed, and ends well."""
    bench.world.script("unit (python=3.12)", fail(3), succeed())
    bench.world.script("docs", fail(1))
    run = bench.push()
    bench.settle()
    yield
    bench.ask(run, CommandKind.RERUN, mode="failed")
    bench.settle()
    yield


def undisturbed(database: Database, folder: Path) -> tuple[dict[str, object], int]:
    bench = Bench(database, folder, GRAPH)
    fuse = Fuse(at=10**9, after=False)
    arm(bench, fuse)
    for _ in story(bench):
        pass
    return bench.outcome(_only_run(bench)), fuse.count


def _only_run(bench: Bench) -> str:
    with bench.database.read() as tx:
        (run,) = runs.page(tx)
    return run.id


def survive(bench: Bench, act: Callable[[], None]) -> None:
    """Do something; if the server dies of it, start another and let it come to rest."""
    try:
        act()
    except Crash:
        for executor, _ in tuple(bench.world._listeners):
            executor.close()
        bench.new_engine()
        bench.settle()


@pytest.fixture
def databases(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    with ExitStack() as stack:

        def fresh() -> Database:
            path = tmp_path / f"{uuid.uuid4().hex}.db"
            shutil.copy(sqlite_template, path)
            opened = open_database(f"sqlite:///{path}")
            stack.callback(opened.close)
            return opened

        yield fresh


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_every_effect_changes_nothing(
    databases: Callable[[], Database], tmp_path: Path, after: bool
) -> None:
    expected, effects = undisturbed(databases(), tmp_path)
    assert expected["status"] == "warning"
    assert effects > 30
    for at in range(1, effects + 1):
        bench = Bench(databases(), tmp_path / str(at), GRAPH)
        arm(bench, Fuse(at=at, after=after))
        told = story(bench)
        survive(bench, partial(next, told))
        run = _only_run(bench)
        if bench.run(run).attempt == 1:
            survive(bench, partial(bench.ask, run, CommandKind.RERUN, mode="failed"))
            survive(bench, bench.settle)
        assert bench.outcome(run) == expected, f"died {'after' if after else 'before'} {at}"
        assert set(bench.world.starts.values()) == {1}
        assert bench.engine.idle()
