"""Runs are prepared, merged, captured and run again while sweeps go on: nothing needed is lost.

Time is made by the test: days go by in moments, but never while something is under way that would
then have taken longer than the grace allows. So it is as hard as it can be, and no matter of luck.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from runner.clock import ManualClock
from runner.database import attempts, runs
from runner.database.connection import Database
from runner.database.runs import Run
from runner.objects.base import ObjectStore
from runner.objects.filesystem import FilesystemStore
from runner.objects.memory import MemoryStore
from runner.retention import expiry
from runner.retention.policy import policy_of
from runner.retention.report import Removed, Report
from runner.settings_model import Retention
from runner.workspace.merge import merge_snapshots
from runner.workspace.snapshots import Snapshots
from tests.runner.objects.conftest import BUCKET, available, fresh
from tests.runner.retention.world import DAY, HOUR, Hesitant, World
from tests.testbed.stores import StoreServer, minio

TICK = 6 * HOUR
LONGEST = 12 * HOUR
TICKS = 120
PLAYERS = 3


class Pacing:
    """Lets time go by only if nothing that is under way would then have taken too long."""

    def __init__(self, clock: ManualClock) -> None:
        self.stopped = False
        self._clock = clock
        self._changed = threading.Condition()
        self._begun: dict[int, float] = {}
        self._waiting = 0

    @contextmanager
    def act(self) -> Iterator[None]:
        """Do something that takes no longer than `LONGEST`."""
        me = threading.get_ident()
        with self._changed:
            self._begun[me] = self._clock.now()
        try:
            yield
        finally:
            with self._changed:
                del self._begun[me]
                self._changed.notify_all()

    def wait(self) -> None:
        """Wait until time has gone by once, unless this act would then take too long."""
        with self._changed:
            if not self._may_pass():
                return
            until = self._clock.now() + TICK
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._clock.now() >= until or self.stopped)

    def tick(self) -> None:
        """Let time go by once everybody waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting == PLAYERS + 1 or self.stopped)
            self._waiting = 0
            self._clock.advance(TICK)
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def _may_pass(self) -> bool:
        return min(self._begun.values(), default=1e99) + LONGEST >= self._clock.now() + TICK


@dataclass
class Player:
    """Runs pipelines whose steps leave one of a few things, so that the same comes up again."""

    world: World
    pacing: Pacing
    random: random.Random
    claims: threading.Lock

    def __post_init__(self) -> None:
        self.objects = Hesitant(self.world.objects, self.before)
        self.snapshots = self.view()
        self.policy = policy_of(self.world.settings, self.world.repository.name)

    def play(self) -> None:
        if self.random.random() < 0.3:
            self.run_again()
        else:
            self.run()
        self.pacing.wait()

    def before(self, act: str, key: str) -> None:
        if act == "put" and key.startswith("snapshots/"):
            self.hesitate()

    def hesitate(self) -> None:
        if self.random.random() < 0.3:
            self.pacing.wait()

    def view(self) -> Snapshots:
        return Snapshots(self.objects, clock=self.world.clock.now)

    def run(self) -> None:
        world = self.world
        with self.pacing.act():
            run = world.run(branch=self.random.choice(["main", "side", "fix"]), ended=None)
            with world.database.read() as tx:
                now = world.clock.now()
                base = expiry.newest_source(tx, world.repository, self.policy, now)
            known = self.snapshots.load(base) if base and self.random.random() < 0.7 else None
            self.hesitate()
            files = {name: self.content() for name in ("a", "b")}
            source = world.source(files, known, self.snapshots)
            self.hesitate()
            world.change(run, source=source)
        self.steps(run, source)

    def run_again(self) -> None:
        run = self.claimed()
        if run is not None and run.source is not None:
            with self.world.database.read() as tx:
                left = [attempt.snapshot for attempt in attempts.of(tx, run.id)]
            for digest in filter(None, left):
                assert self.world.read(digest)
            self.hesitate()
            self.steps(run, run.source)

    def claimed(self) -> Run | None:
        """Begin another round of an ended run that may be run again, as API and engine do."""
        world = self.world
        with self.claims:
            now = world.clock.now()
            with world.database.read() as tx:
                kept = list(expiry.with_workspaces(tx, world.repository, self.policy, now))
                run = runs.find(tx, self.random.choice(kept)) if kept else None
            if run is None or run.ended_at is None:
                return None
            again = replace(run, attempt=run.attempt + 1)
            world.change(run, ended_at=None, wanted=True, attempt=again.attempt, started_at=now)
            return again

    def steps(self, run: Run, source: str) -> None:
        """Take two steps side by side, and one on the merge of what they left."""
        sides = [self.step(run, name, source) for name in ("x", "y")]
        with self.pacing.act():
            merged, _ = merge_snapshots(list(zip("xy", sides, strict=True)), self.snapshots)
        # The step may take longer than the grace; what it began with is in no row all that time.
        for _ in range(self.random.choice([0, 0, 0, 6])):
            self.pacing.wait()
        self.step(run, "z", merged)
        self.world.change(run, ended_at=self.world.clock.now(), wanted=False)

    def step(self, run: Run, name: str, given: str) -> str:
        with self.pacing.act():
            files = {name: self.content(), "both": self.content()}
            left = self.world.left(given, files, snapshots=self.view())
        self.hesitate()
        self.world.attempt(run, name, left, run.attempt)
        return left

    def content(self) -> bytes:
        return b"%d" % self.random.randrange(8) * 50


@dataclass
class Troupe:
    """Threads that do the same again and again; an error ends them all."""

    pacing: Pacing
    errors: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, act: Callable[[], object]) -> None:
        thread = threading.Thread(target=self._repeat, args=(act,))
        self.threads.append(thread)
        thread.start()

    def end(self) -> None:
        self.pacing.stop()
        for thread in self.threads:
            thread.join()

    def _repeat(self, act: Callable[[], object]) -> None:
        try:
            while not self.pacing.stopped:
                act()
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.errors.append(error)
            self.pacing.stop()


@dataclass
class Sweeping:
    """Sweeps, and hesitates before some removals, so that what it has seen is long ago."""

    world: World
    pacing: Pacing
    random: random.Random
    reports: list[Report] = field(default_factory=list)

    def __call__(self) -> None:
        self.reports.append(self.world.sweep(objects=Hesitant(self.world.objects, self.before)))
        self.pacing.wait()

    def before(self, act: str, key: str) -> None:
        if act == "delete" and self.random.random() < 0.05:
            self.pacing.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with available(minio()) as running:
        running.make_bucket(BUCKET)
        yield running


@pytest.fixture(params=["memory", "filesystem", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    match request.param:
        case "memory":
            return MemoryStore()
        case "filesystem":
            return FilesystemStore(tmp_path / "objects", durable=False)
        case _:
            return fresh(request.getfixturevalue("server"))


@pytest.fixture
def world(light_database: Database, store: ObjectStore, tmp_path: Path) -> World:
    settings = Retention(workspaces=3 * DAY, runs=5 * DAY, keep=1, grace=DAY)
    return World(light_database, inner=store, settings=settings, catalogue=tmp_path / "sweep.db")


def test_nothing_that_is_needed_is_lost(world: World) -> None:
    pacing, claims = Pacing(world.clock), threading.Lock()
    troupe, sweeping = Troupe(pacing), Sweeping(world, pacing, random.Random(0))
    troupe.begin(sweeping)
    for seed in range(PLAYERS):
        troupe.begin(Player(world, pacing, random.Random(seed), claims).play)
    try:
        for _ in range(TICKS):
            pacing.tick()
    finally:
        troupe.end()
    assert troupe.errors == []
    assert [report for report in sweeping.reports if report.missing or report.damaged] == []
    removed = sum((report.removed for report in sweeping.reports), Counter())
    assert min(removed[kind] for kind in (Removed.RUNS, Removed.SNAPSHOTS, Removed.PACKS)) > 10
    check_all_that_is_kept(world)
    end_all_runs(world)
    world.clock.advance(2 * DAY)
    check_all_that_is_kept(world)
    world.clock.advance(300 * DAY)
    world.sweep()
    world.clock.advance(2 * DAY)
    world.sweep()
    check_only_what_is_kept(world)


def kept(world: World) -> set[str]:
    policy = policy_of(world.settings, world.repository.name)
    with world.database.read() as tx:
        return set(expiry.snapshots(tx, world.repository, policy, world.clock.now()))


def check_all_that_is_kept(world: World) -> None:
    digests = kept(world)
    assert digests
    for digest in world.new_snapshots().lineage(digests):
        assert world.read(digest)


def check_only_what_is_kept(world: World) -> None:
    """Three branches have a newest run each; all else is gone, from the store too."""
    with world.database.read() as tx:
        assert len(runs.page(tx)) == 3
    snapshots = world.new_snapshots()
    needed = {key for digest in snapshots.lineage(kept(world)) for key in snapshots.keys(digest)}
    assert world.keys() == needed
    check_all_that_is_kept(world)


def end_all_runs(world: World) -> None:
    with world.database.read() as tx:
        going_on = [run for run in runs.page(tx, limit=10_000) if run.ended_at is None]
    for run in going_on:
        world.change(run, ended_at=world.clock.now(), wanted=False)
