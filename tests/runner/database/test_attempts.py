from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.states import Cause, Outcome
from runner.database import attempts
from runner.database.attempts import Attempt
from runner.database.connection import Database
from runner.database.errors import AttemptEnded, LeaseLost
from runner.executors.base import Artifact
from tests.runner.database.samples import NOW, a_claimed_run


def an_end(attempt: Attempt) -> Attempt:
    return replace(
        attempt,
        outcome=Outcome.ERROR,
        cause=Cause.NODE_LOST,
        reason="the node\0is gone",
        ended_at=NOW + 2.5,
        outputs={"a": "b"},
        artifacts=(Artifact(path="p", size=1, digest="d"),),
        snapshot="s",
        warnings=("w",),
    )


def test_an_attempt_is_written_as_it_goes(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        first = Attempt(run_id=run.id, step="test", number=1)
        attempts.put(tx, 1, first)
        started = replace(first, started_at=NOW)
        attempts.put(tx, 1, started)
        assert attempts.find(tx, run.id, "test", 1) == started
        ended = an_end(started)
        attempts.put(tx, 1, ended)
        second = Attempt(run_id=run.id, step="test", number=2)
        other = Attempt(run_id=run.id, step="lint", number=1)
        attempts.put(tx, 1, second)
        attempts.put(tx, 1, other)
    shown = replace(ended, reason="the node\ufffdis gone")
    with database.read() as tx:
        assert attempts.of(tx, run.id) == [other, shown, second]
        assert attempts.of(tx, run.id, "test") == [shown, second]
        assert attempts.find(tx, run.id, "test", 3) is None


def test_what_has_ended_stays_as_it_is(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        ended = an_end(Attempt(run_id=run.id, step="test", number=1))
        attempts.put(tx, 1, ended)
        attempts.put(tx, 1, ended)
        attempts.put(tx, 1, replace(ended, reason="told otherwise"))
        kept = attempts.find(tx, run.id, "test", 1)
    assert kept is not None
    assert kept.reason == "the node\ufffdis gone"
    told = r"test#1 .* \(error\) and cannot end again \(success\)"
    with pytest.raises(AttemptEnded, match=told), database.write() as tx:
        attempts.put(tx, 1, replace(ended, outcome=Outcome.SUCCESS))
    with pytest.raises(LeaseLost), database.write() as tx:
        attempts.put(tx, 2, replace(ended, number=2))
