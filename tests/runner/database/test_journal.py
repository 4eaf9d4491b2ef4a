from __future__ import annotations

import pytest

from runner.database import journal, runs
from runner.database.connection import Database
from runner.database.errors import LeaseLost
from runner.database.journal import JournalRecord
from tests.runner.database.samples import NOW, a_claimed_run


def a_record(sequence: int, **payload: object) -> JournalRecord:
    return JournalRecord(sequence=sequence, at=NOW + sequence, kind="told", payload=payload)


def test_records_come_back_in_their_order(database: Database) -> None:
    odd = a_record(2, text="ü\0\ud800", number=0.1, nothing=None)
    with database.write() as tx:
        run = a_claimed_run(tx)
        assert journal.last(tx, run.id) == 0
        journal.append(tx, run.id, 1, [a_record(1), odd])
        journal.append(tx, run.id, 1, [])
        journal.append(tx, run.id, 1, [a_record(3)])
    with database.read() as tx:
        assert journal.read(tx, run.id) == [a_record(1), odd, a_record(3)]
        assert journal.read(tx, run.id, after=2) == [a_record(3)]
        assert journal.read(tx, "none") == []
        assert journal.last(tx, run.id) == 3


@pytest.mark.parametrize("sequences", [[3], [1], [2, 4], [2, 2]])
def test_a_gap_or_a_repeat_is_refused(sequences: list[int], database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        journal.append(tx, run.id, 1, [a_record(1)])
    with pytest.raises(ValueError, match=r"record \d \(told\) is not \d"), database.write() as tx:
        journal.append(tx, run.id, 1, [a_record(sequence) for sequence in sequences])
    with database.read() as tx:
        assert journal.last(tx, run.id) == 1


def test_an_old_epoch_writes_nothing(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx, "old")
        runs.claim(tx, "new", NOW + 61, 60, 1)
        journal.append(tx, run.id, 2, [a_record(1)])
    with pytest.raises(LeaseLost), database.write() as tx:
        journal.append(tx, run.id, 1, [a_record(2)])
    with pytest.raises(LeaseLost), database.write() as tx:
        journal.append(tx, run.id, 1, [])
    with database.read() as tx:
        assert journal.read(tx, run.id) == [a_record(1)]


def test_what_is_no_json_is_refused(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
    with pytest.raises(Exception, match="JSON compliant"), database.write() as tx:
        journal.append(tx, run.id, 1, [a_record(1, number=float("nan"))])
