from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import Connection

from pipelines.states import RunStatus
from runner.database import outbox
from runner.database.connection import Database, open_database
from runner.database.outbox import FLIGHT_SECONDS, OutboxRow
from runner.database.repositories import Repository
from tests.runner.database.samples import NOW, a_repository, a_run, a_status


def sent(tx: Connection, at: float = NOW, limit: int = 10) -> list[str]:
    """Send what is due; return what it said."""
    rows = outbox.due(tx, at, limit)
    for row in rows:
        outbox.taken(tx, row.id, at)
    return [row.description for row in rows]


def row(tx: Connection, status: OutboxRow) -> OutboxRow:
    return next(one for one in outbox.of(tx, status.run_id) if one.id == status.id)


def test_a_status_is_sent_once(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        status = a_status(tx, run, 1, state=RunStatus.SUCCESS)
        assert (status.open, status.state, status.tries) == (True, RunStatus.SUCCESS, 0)
        assert outbox.due(tx, NOW - 1, 10) == []
        assert [one.id for one in outbox.due(tx, NOW, 10)] == [status.id]
        assert outbox.due(tx, NOW, 10) == []
        outbox.taken(tx, status.id, NOW + 1)
        assert outbox.due(tx, NOW + 9999, 10) == []
        kept = row(tx, status)
    assert (kept.open, kept.taken_at, kept.flying_until) == (False, NOW + 1, None)


def test_the_same_status_again_is_the_same_row(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        assert a_status(tx, run, 1) == a_status(tx, run, 1, at=NOW + 5)
        assert len(outbox.of(tx, run.id)) == 1


def test_a_newer_one_makes_an_unsent_older_one_superfluous(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        older = a_status(tx, run, 1)
        a_status(tx, run, 2, at=NOW + 1)
        closed = row(tx, older)
        assert (closed.open, closed.taken_at, closed.refused) == (False, None, None)
        assert sent(tx, NOW + 1) == ["1/2"]


def test_an_older_one_put_late_is_never_sent(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        a_status(tx, run, 5, attempt=2)
        assert sent(tx) == ["2/5"]
        a_status(tx, run, 9, attempt=1, at=NOW + 1)
        a_status(tx, run, 4, attempt=2, at=NOW + 1)
        assert sent(tx, NOW + 99) == []


def test_targets_do_not_hinder_each_other(database: Database) -> None:
    with database.write() as tx:
        repository, other = a_repository(tx), a_repository(tx, "acme/other")
        run, foreign = a_run(tx, repository), a_run(tx, other)
        a_status(tx, run, 1)
        a_status(tx, run, 2, context="hookline/two")
        a_status(tx, run, 3, commit="2" * 40)
        a_status(tx, foreign, 4)
        assert [one.sequence for one in outbox.due(tx, NOW, 10)] == [1, 2, 3, 4]


def test_only_one_is_under_way_for_a_target(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        first = a_status(tx, run, 1)
        outbox.due(tx, NOW, 10)
        a_status(tx, run, 2)
        a_status(tx, run, 3)
        assert outbox.due(tx, NOW + 1, 10) == []
        outbox.later(tx, first.id, NOW + 60, "the forge is down")
        assert sent(tx, NOW + 1) == ["1/3"]
        assert sent(tx, NOW + 60) == []
        assert not row(tx, first).open


def test_what_went_down_with_its_sender_is_sent_again(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        a_status(tx, run, 1)
        outbox.due(tx, NOW, 10)
        assert sent(tx, NOW + FLIGHT_SECONDS - 1) == []
        assert sent(tx, NOW + FLIGHT_SECONDS) == ["1/1"]


def test_what_went_down_with_its_sender_gives_way_to_a_newer(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        a_status(tx, run, 1)
        outbox.due(tx, NOW, 10)
        a_status(tx, run, 2)
        assert sent(tx, NOW + FLIGHT_SECONDS) == ["1/2"]
        assert sent(tx, NOW + 9999) == []


def test_a_failed_one_is_tried_again_when_it_is_time(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        status = a_status(tx, run, 1)
        for number in (1, 2):
            assert outbox.due(tx, NOW + 60 * number, 10)
            outbox.later(tx, status.id, NOW + 60 * (number + 1), f"error {number}")
        kept = row(tx, status)
        assert (kept.tries, kept.last_error, kept.open) == (2, "error 2", True)
        assert outbox.due(tx, NOW + 179, 10) == []
        assert sent(tx, NOW + 180) == ["1/1"]


def test_a_refused_one_is_not_sent_again_and_hides_older_ones(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        first = a_status(tx, run, 1)
        outbox.due(tx, NOW, 10)
        second = a_status(tx, run, 2)
        outbox.later(tx, first.id, NOW, "down")
        assert [one.id for one in outbox.due(tx, NOW, 10)] == [second.id]
        outbox.refused(tx, second.id, "no such commit")
        assert sent(tx, NOW + 99) == []
        kept = row(tx, second)
    assert (kept.open, kept.refused, kept.taken_at) == (False, "no such commit", None)


def test_the_longest_waiting_go_first_and_no_more_than_asked(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        for number in range(5):
            a_status(tx, run, number, context=f"c{number}", at=NOW - number)
        assert [one.sequence for one in outbox.due(tx, NOW, 2)] == [4, 3]
        assert [one.sequence for one in outbox.due(tx, NOW, 9)] == [2, 1, 0]


def test_a_held_one_waits_and_hides_nothing(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        real, maybe = a_run(tx, repository), a_run(tx, repository)
        a_status(tx, real, 1)
        a_status(tx, maybe, 0, held=True, at=NOW + 1)
        assert sent(tx, NOW + 2) == ["1/1"]
        a_status(tx, real, 2, at=NOW + 2)
        outbox.drop(tx, maybe.id)
        assert outbox.of(tx, maybe.id) == []
        assert sent(tx, NOW + 3) == ["1/2"]


def test_a_released_one_is_sent_and_hides_older_ones(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        before, after = a_run(tx, repository), a_run(tx, repository)
        a_status(tx, before, 7)
        a_status(tx, after, 0, held=True, at=NOW + 1)
        outbox.release_held(tx, after.id)
        assert sent(tx, NOW + 2) == ["1/0"]
        a_status(tx, before, 8, at=NOW + 3)
        assert sent(tx, NOW + 3) == []


def test_what_was_sent_is_not_dropped(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        a_status(tx, run, 1)
        assert sent(tx) == ["1/1"]
        a_status(tx, run, 2)
        outbox.drop(tx, run.id)
        assert [one.sequence for one in outbox.of(tx, run.id)] == [1]


def test_a_rerun_of_an_older_run_is_newer_than_the_newer_run(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        older, newer = a_run(tx, repository), a_run(tx, repository)
        a_status(tx, older, 9, at=NOW)
        a_status(tx, newer, 1, at=NOW + 1)
        assert sent(tx, NOW + 1) == ["1/1"]
        a_status(tx, older, 10, attempt=2, at=NOW + 2)
        assert sent(tx, NOW + 2) == ["2/10"]
        a_status(tx, newer, 2, at=NOW + 3)
        assert sent(tx, NOW + 3) == []


def test_a_clock_that_goes_back_does_not_hide_a_newer_attempt(database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
        a_status(tx, run, 1, attempt=1, at=NOW)
        assert sent(tx) == ["1/1"]
        a_status(tx, run, 2, attempt=2, at=NOW - 3600)
        assert sent(tx) == ["2/2"]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_the_newest_is_shown_in_the_end(seed: int, database: Database) -> None:
    dice = random.Random(seed)
    shown: list[OutboxRow] = []
    flying: list[OutboxRow] = []
    with database.write() as tx:
        repository: Repository = a_repository(tx)
        run = a_run(tx, repository)
        at, attempt = NOW, 1
        for sequence in range(1, 30):
            at += 1
            attempt += dice.random() < 0.2
            a_status(tx, run, sequence, attempt=attempt, at=at)
            if not flying and dice.random() < 0.7:
                flying = outbox.due(tx, at, 10)
                assert len(flying) <= 1
            for one in flying:
                if dice.random() < 0.5:
                    flying = []
                    if dice.random() < 0.5:
                        outbox.taken(tx, one.id, at)
                        shown.append(one)
                    else:
                        outbox.later(tx, one.id, at + dice.random() * 5, "down")
        at += FLIGHT_SECONDS
        shown += outbox.due(tx, at, 10)
    assert [one.age for one in shown] == sorted(one.age for one in shown)
    assert shown[-1].sequence == 29


def test_senders_never_fly_two_of_a_target_at_once(database_url: str, database: Database) -> None:
    with database.write() as tx:
        run = a_run(tx, a_repository(tx))
    with closing(open_database(database_url)) as second:

        def put_and_take(number: int) -> list[OutboxRow]:
            here = (database, second)[number % 2]
            here.transact(lambda tx: a_status(tx, run, number, at=NOW + number))
            return here.transact(lambda tx: outbox.due(tx, NOW + 100, 10))

        with ThreadPoolExecutor(8) as pool:
            taken = [one for rows in pool.map(put_and_take, range(24)) for one in rows]
    assert len(taken) == 1
