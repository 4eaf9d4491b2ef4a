from __future__ import annotations

from dataclasses import replace

import pytest

from runner.database import deliveries, hooks, journal, runs
from runner.database.connection import Database
from runner.database.deliveries import Change, StoredDelivery
from runner.database.journal import JournalRecord
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.words import DeliveryOutcome
from runner.retention import expiry
from runner.retention.policy import Policy
from runner.retention.report import Removed
from tests.runner.retention.world import DAY, HOUR, World

POLICY = Policy(workspaces=10 * DAY, runs=20 * DAY, keep=0, branches=100 * DAY)
KEEPING = Policy(workspaces=10 * DAY, runs=20 * DAY, keep=2, branches=100 * DAY)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def expired(world: World, run: Run, policy: Policy = POLICY, at: float | None = None) -> bool:
    """Whether a run that began has expired."""
    moment = world.clock.now() if at is None else at
    run = replace(run, source="began")
    with world.database.read() as tx:
        return expiry.has_expired(tx, world.repository, policy, run, moment)


def test_a_run_expires_with_time_after_its_end(world: World) -> None:
    run = world.run(ended=HOUR)
    world.clock.advance(10 * DAY + HOUR)
    assert not expired(world, run)
    world.clock.advance(1)
    assert expired(world, run)


def test_a_run_that_never_had_a_source_expires_with_its_row(world: World) -> None:
    run = world.run()
    with world.database.read() as tx:
        here = (tx, world.repository, POLICY, run)
        ended = world.clock.now()
        assert not expiry.has_expired(*here, ended + 20 * DAY)
        assert expiry.has_expired(*here, ended + 20 * DAY + 1)


def test_what_goes_on_or_is_wanted_never_expires(world: World) -> None:
    going_on, wanted = world.run(ended=None), world.run(wanted=True)
    world.clock.advance(400 * DAY)
    assert not expired(world, going_on)
    assert not expired(world, wanted)


def test_the_newest_of_each_branch_stay(world: World) -> None:
    made = []
    for _ in range(4):
        made.append((world.run(), world.run(branch="other")))
        world.clock.advance(HOUR)
    world.clock.advance(50 * DAY)
    assert [tuple(expired(world, run, KEEPING) for run in pair) for pair in made] == [
        (True, True),
        (True, True),
        (False, False),
        (False, False),
    ]


def test_of_a_branch_that_nobody_uses_only_the_default_one_stays(world: World) -> None:
    runs_of = {branch: world.run(branch=branch) for branch in ("main", "other")}
    world.clock.advance(100 * DAY)
    assert [expired(world, run, KEEPING) for run in runs_of.values()] == [False, False]
    world.clock.advance(1)
    assert [expired(world, run, KEEPING) for run in runs_of.values()] == [False, True]


def test_pull_requests_and_tags_are_no_branches(world: World) -> None:
    pull, tag = world.run(), world.run(branch=None)
    world.change(pull, kind="pull_request")
    world.clock.advance(11 * DAY)
    assert expired(world, pull, KEEPING)
    assert expired(world, tag, KEEPING)


def test_another_repository_does_not_count(world: World) -> None:
    run = world.run()
    other = world.new_repository("acme/other")
    world.clock.advance(HOUR)
    for _ in range(2):
        world.run(repository=other)
    world.clock.advance(11 * DAY)
    assert not expired(world, run, KEEPING)


def test_a_run_expires_when_it_is_overtaken_and_not_before(world: World) -> None:
    """What had expired at a moment depends on nothing that came later."""
    run = world.run()
    world.clock.advance(20 * DAY)
    overtaken = [world.run() for _ in range(2)][-1].created_at
    world.clock.advance(DAY)
    assert expired(world, run, KEEPING)
    assert expired(world, run, KEEPING, overtaken)
    assert not expired(world, run, KEEPING, overtaken - 0.001)


def test_which_snapshots_are_needed(world: World) -> None:
    old = world.run(source="old")
    world.attempt(old, "a", "old-a")
    world.clock.advance(11 * DAY)
    run = world.run(source="source")
    world.attempt(run, "a", "a1", 1)
    world.attempt(run, "a", None, 2)
    world.attempt(run, "b", "b1")
    world.run(source=None, ended=None)
    with world.database.read() as tx:
        asked = (tx, world.repository, POLICY, world.clock.now())
        assert sorted(expiry.snapshots(*asked)) == ["a1", "b1", "source"]
        assert expiry.newest_source(*asked) == "source"
        assert len(list(expiry.with_workspaces(*asked))) == 2
        assert len(list(expiry.all_runs(tx))) == 3


def test_nothing_is_built_upon_what_has_expired(world: World) -> None:
    world.run(source="old")
    world.clock.advance(11 * DAY)
    with world.database.read() as tx:
        asked = (tx, world.repository, POLICY, world.clock.now())
        assert expiry.newest_source(*asked) is None
        assert list(expiry.snapshots(*asked)) == []


def test_when_the_oldest_round_began_that_goes_on(world: World) -> None:
    with world.database.read() as tx:
        assert expiry.oldest_begin(tx) is None
        assert not expiry.any_run(tx)
    world.run()
    later = world.clock.now() + 30
    world.run(ended=None, started_at=later)
    with world.database.read() as tx:
        assert expiry.oldest_begin(tx) == later
        assert expiry.any_run(tx)
    begin = world.run(ended=None).created_at
    with world.database.read() as tx:
        assert expiry.oldest_begin(tx) == begin


def a_delivery(world: World, name: str, run: Run | None) -> None:
    with world.database.write() as tx:
        hook = hooks.of_repository(tx, world.repository.id)[0].id
        delivery = StoredDelivery(
            id=name,
            hook_id=hook,
            forge_id=name,
            event="push",
            received_at=world.clock.now(),
            outcome=DeliveryOutcome.ACCEPTED,
        )
        deliveries.add(tx, delivery)
        deliveries.add_change(
            tx,
            Change(
                delivery_id=name,
                position=0,
                ref="refs/heads/main",
                commit="1" * 40,
                run_id=run.id if run else None,
                reason=None if run else "ignored",
            ),
        )


def test_runs_are_removed_with_all_that_was_written_of_them(world: World) -> None:
    hook(world, world.repository)
    old, kept = world.run(), world.run(ended=30 * DAY)
    world.attempt(old, "a", "x")
    with world.database.write() as tx:
        record = JournalRecord(sequence=1, at=0.0, kind="begun", payload={})
        journal.append(tx, old.id, 0, [record])
    a_delivery(world, "d1", old)
    a_delivery(world, "d2", kept)
    world.clock.advance(21 * DAY)
    asked = (world.repository, POLICY, world.clock.now())
    with world.database.write() as tx:
        assert expiry.count_runs(tx, *asked) == 1
        assert expiry.count_deliveries(tx, *asked) == 0
        assert expiry.remove_runs(tx, *asked) == 1
        assert expiry.remove_runs(tx, *asked) == 0
        assert (runs.find(tx, old.id), journal.read(tx, old.id)) == (None, [])
        assert runs.find(tx, kept.id) is not None
        (change,) = deliveries.changes_of(tx, "d1")
        assert (change.run_id, change.reason) == (None, expiry.REMOVED)
        assert expiry.count_deliveries(tx, *asked) == 1
        assert expiry.remove_deliveries(tx, *asked) == 1
        assert deliveries.find(tx, "d1") is None
        assert deliveries.find(tx, "d2") is not None


def test_young_deliveries_and_those_of_others_stay(world: World) -> None:
    hook(world, world.repository)
    a_delivery(world, "d1", None)
    world.clock.advance(20 * DAY)
    other = world.new_repository("acme/other")
    with world.database.write() as tx:
        now = world.clock.now()
        assert expiry.remove_deliveries(tx, world.repository, POLICY, now) == 0
        assert expiry.remove_deliveries(tx, other, POLICY, now + 1) == 0
        assert expiry.remove_deliveries(tx, world.repository, POLICY, now + 1) == 1


def test_a_whole_sweep(world: World) -> None:
    old = world.run(branch="side", source=world.source({"a": b"old"}))
    world.attempt(old, "step", world.left(old.source or "", {"b": b"left"}))
    kept = world.run(branch="side", source=world.source({"a": b"kept"}))
    world.clock.advance(21 * DAY + HOUR)
    report = world.sweep()
    assert (report.removed[Removed.RUNS], report.removed[Removed.SNAPSHOTS]) == (1, 2)
    assert (world.row(old), world.row(kept)) == (None, kept)
    assert world.read(kept.source or "") == {"a": b"kept"}


def test_so_many_at_once(world: World) -> None:
    for _ in range(5):
        world.run()
    world.clock.advance(21 * DAY)
    removed = []
    for _ in range(4):
        with world.database.write() as tx:
            now = world.clock.now()
            removed.append(expiry.remove_runs(tx, world.repository, POLICY, now, limit=2))
    assert removed == [2, 2, 1, 0]


def hook(world: World, repository: Repository) -> None:
    with world.database.write() as tx:
        hooks.add(tx, hook_id="h", repository_id=repository.id, forge="git", secrets=(), at=0.0)
