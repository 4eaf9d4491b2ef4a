from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from pipelines.events import Manual, PullRequest, Push, Tag, Trust
from pipelines.states import RunStatus
from runner.database import commands, deliveries, hooks, outbox, runs
from runner.database.connection import Database, open_database
from runner.database.deliveries import Change, StoredDelivery
from runner.database.errors import LeaseLost
from runner.database.runs import Run
from runner.database.words import CommandKind, DeliveryOutcome
from tests.runner.database.samples import (
    COMMIT,
    NOW,
    a_claimed_run,
    a_repository,
    a_run,
    a_status,
)

PULL = PullRequest(
    number=3,
    action="opened",
    branch="main",
    source_branch="x",
    commit=COMMIT,
    ref="refs/pull/3/head",
)


def found(database: Database, run_id: str) -> Run:
    with database.read() as tx:
        run = runs.find(tx, run_id)
    assert run is not None
    return run


@pytest.mark.parametrize(
    "event",
    [
        Push(branch="größe", commit=COMMIT, before="2" * 40, forced=True, message="🦊\n"),
        Tag(tag="v1", commit=COMMIT),
        PULL,
        Manual(branch="main", commit=COMMIT, author="Ada"),
    ],
)
def test_a_run_comes_back_as_it_was_written(
    event: Push | Tag | PullRequest | Manual, database: Database
) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx), event=event, warnings=("a", "b"), event_key="k")
    assert found(database, run.id) == run
    with database.read() as tx:
        assert runs.numbered(tx, run.repository_id, 1) == run
        assert runs.keyed(tx, run.repository_id, "k") == run
        assert runs.numbered(tx, run.repository_id, 2) is None
        assert runs.keyed(tx, run.repository_id, "l") is None
        assert runs.find(tx, "none") is None
    assert isinstance(found(database, run.id).trust, Trust)


def test_an_event_key_is_used_once_by_repository(database: Database) -> None:
    with database.write() as tx:
        one, two = a_repository(tx), a_repository(tx, "acme/other")
        a_run(tx, one, event_key="k")
        a_run(tx, two, event_key="k")
        a_run(tx, one)
        a_run(tx, one)
    with pytest.raises(IntegrityError), database.write() as tx:
        a_run(tx, one, event_key="k")


def test_documents_are_apart(database: Database) -> None:
    plan = {"z": [1, {"a": None}], "a": "ü\0\ud800"}
    with database.write() as tx:
        run = a_claimed_run(tx)
        empty = runs.documents(tx, run.id)
        runs.change(tx, run.id, run.lease_epoch, config="steps: {}", plan=plan, source="s")
    with database.read() as tx:
        full = runs.documents(tx, run.id)
        assert runs.documents(tx, "none") is None
    assert empty is not None
    assert (empty.config, empty.plan) == (None, None)
    assert full is not None
    assert (full.config, full.plan) == ("steps: {}", plan)
    assert list(full.plan or {}) == ["z", "a"]
    assert found(database, run.id).source == "s"


def test_runs_are_paged_newest_first(database: Database) -> None:
    with database.write() as tx:
        one, two = a_repository(tx), a_repository(tx, "acme/other")
        ids = [a_run(tx, one, at=NOW + n, branch="ab"[n % 2]).id for n in range(6)]
        other = a_run(tx, two, at=NOW + 10).id
        ended = a_run(tx, two, at=NOW + 11, status=RunStatus.FAILURE).id
    newest = [*reversed(ids)]
    with database.read() as tx:
        assert [run.id for run in runs.page(tx)] == [ended, other, *newest]
        assert [run.id for run in runs.page(tx, one.id)] == newest
        assert [run.id for run in runs.page(tx, one.id, limit=2)] == newest[:2]
        assert [run.id for run in runs.page(tx, one.id, before=newest[1])] == newest[2:]
        assert [run.id for run in runs.page(tx, one.id, branch="a")] == newest[1::2]
        assert [run.id for run in runs.page(tx, status=RunStatus.FAILURE)] == [ended]


def test_the_latest_of_a_branch_is_no_pull_request(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        ended = a_run(tx, repository, at=NOW, ended_at=NOW + 5)
        going = a_run(tx, repository, at=NOW + 1)
        a_run(tx, repository, at=NOW + 2, branch="other")
        a_run(tx, repository, at=NOW + 3, event=PULL)
        assert runs.latest(tx, repository.id, "main") == going
        assert runs.latest(tx, repository.id, "main", ended=True) == ended
        assert runs.latest(tx, repository.id, "none") is None


def test_a_claimed_run_is_held_for_a_time(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        assert (run.lease_owner, run.lease_epoch, run.lease_until) == ("me", 1, NOW + 60)
        assert runs.claim(tx, "you", NOW + 60, 60, 9) == []
        assert runs.claim(tx, "me", NOW + 60, 60, 9) == []
        (again,) = runs.claim(tx, "you", NOW + 61, 60, 9)
    assert (again.id, again.lease_owner, again.lease_epoch) == (run.id, "you", 2)


def test_the_oldest_are_claimed_first_and_no_more_than_asked(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        ids = [a_run(tx, repository, at=NOW + n).id for n in range(5)]
        assert [run.id for run in runs.claim(tx, "me", NOW, 60, 2)] == ids[:2]
        assert [run.id for run in runs.claim(tx, "you", NOW, 60, 9)] == ids[2:]


def test_replicas_never_claim_the_same(database_url: str, database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        ids = {a_run(tx, repository, at=NOW + n).id for n in range(40)}
    replicas = 8
    start = Barrier(replicas)
    with closing(open_database(database_url)) as second:

        def claim(number: int) -> list[str]:
            start.wait()
            mine: list[str] = []
            while True:
                held = (database, second)[number % 2].transact(
                    lambda tx: runs.claim(tx, f"r{number}", NOW, 60, 3)
                )
                if not held:
                    return mine
                mine += [run.id for run in held]

        with ThreadPoolExecutor(replicas) as pool:
            claimed = Counter(run for mine in pool.map(claim, range(replicas)) for run in mine)
    # Who met only locked rows may have left early; what nobody took is there for the next.
    with database.write() as tx:
        claimed.update(run.id for run in runs.claim(tx, "last", NOW, 60, 99))
    assert set(claimed) == ids
    assert set(claimed.values()) == {1}


def test_leases_are_renewed_by_their_owner_only(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        other = a_run(tx, a_repository(tx, "acme/other"))
        assert runs.renew(tx, "me", [run.id, other.id], NOW + 99) == {run.id}
        assert runs.renew(tx, "you", [run.id], NOW + 500) == set()
        assert runs.renew(tx, "me", [], NOW) == set()
        kept = runs.find(tx, run.id)
    assert kept is not None
    assert (kept.lease_until, kept.lease_epoch) == (NOW + 99, 1)


def test_a_run_that_was_given_back_is_free_at_once(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        runs.release(tx, "you", [run.id])
        assert runs.claim(tx, "you", NOW, 60, 9) == []
        runs.release(tx, "me", [run.id])
        (again,) = runs.claim(tx, "you", NOW, 60, 9)
        assert again.lease_epoch == 2
        runs.abandon(tx, "me")
        assert runs.claim(tx, "me", NOW, 60, 9) == []
        runs.abandon(tx, "you")
        assert [one.lease_epoch for one in runs.claim(tx, "me", NOW, 60, 9)] == [3]


def test_an_old_epoch_changes_nothing(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx, "old")
        runs.claim(tx, "new", NOW + 61, 60, 1)
    with pytest.raises(LeaseLost) as caught, database.write() as tx:
        runs.change(tx, run.id, run.lease_epoch, status=RunStatus.SUCCESS)
    assert (caught.value.run_id, caught.value.epoch) == (run.id, 1)
    assert found(database, run.id).status is RunStatus.QUEUED
    with database.write() as tx:
        runs.change(tx, run.id, 2, status=RunStatus.RUNNING, started_at=NOW, warnings=("w",))
        runs.change(tx, run.id, 2)
    changed = found(database, run.id)
    assert (changed.status, changed.started_at, changed.warnings) == (
        RunStatus.RUNNING,
        NOW,
        ("w",),
    )
    with pytest.raises(LeaseLost), database.write() as tx:
        runs.fence(tx, "none", 1)


def test_a_settled_run_is_claimed_by_nobody_until_a_command_comes(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        assert runs.settle(tx, run.id, 1)
    settled = found(database, run.id)
    assert (settled.wanted, settled.lease_owner, settled.lease_epoch) == (False, None, 1)
    with database.write() as tx:
        assert runs.claim(tx, "me", NOW + 999, 60, 9) == []
        command = commands.add(tx, run.id, CommandKind.RERUN, {"mode": "all"}, "ada", NOW)
        (again,) = runs.claim(tx, "me", NOW, 60, 9)
        assert again.lease_epoch == 2
        assert not runs.settle(tx, run.id, 2)
        commands.done(tx, command.id, NOW)
        assert runs.settle(tx, run.id, 2)
    with pytest.raises(LeaseLost), database.write() as tx:
        runs.settle(tx, run.id, 1)


def test_a_command_and_the_end_never_miss_each_other(database_url: str, database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        for number in range(10):
            a_run(tx, repository, at=NOW + number)
        held = runs.claim(tx, "me", NOW, 60, 99)
    with closing(open_database(database_url)) as second, ThreadPoolExecutor(2) as pool:

        def settle(run: Run) -> bool:
            return database.transact(lambda tx: runs.settle(tx, run.id, run.lease_epoch))

        def ask(run: Run) -> None:
            second.transact(lambda tx: commands.add(tx, run.id, CommandKind.CANCEL, {}, "ada", NOW))

        for run in held:
            ended, asked = pool.submit(settle, run), pool.submit(ask, run)
            ended.result()
            asked.result()
            assert found(database, run.id).wanted


def test_a_run_that_is_none_leaves_its_reason(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        hooks.add(
            tx, hook_id="h", repository_id=run.repository_id, forge="git", secrets=("s",), at=1
        )
        stored = StoredDelivery(
            id="d",
            hook_id="h",
            forge_id="f",
            event="push",
            received_at=NOW,
            outcome=DeliveryOutcome.ACCEPTED,
        )
        deliveries.add(tx, stored)
        change = Change(delivery_id="d", position=0, ref=run.ref, commit=COMMIT, run_id=run.id)
        deliveries.add_change(tx, change)
        a_status(tx, run, 0, held=True)
    with pytest.raises(LeaseLost), database.write() as tx:
        runs.remove(tx, replace(run, lease_epoch=0), "no such trigger")
    with database.write() as tx:
        runs.remove(tx, run, "no such trigger")
        assert runs.find(tx, run.id) is None
        assert outbox.of(tx, run.id) == []
        assert deliveries.changes_of(tx, "d") == [
            replace(change, run_id=None, reason="no such trigger")
        ]


def test_texts_that_cannot_be_stored_are_made_storable(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx), message="a\0b", author="\ud800ü")
    kept = found(database, run.id)
    assert (kept.message, kept.author) == ("a\ufffdb", "\ufffdü")
