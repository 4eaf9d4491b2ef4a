from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.states import Cause, Outcome, State
from runner.database import steps
from runner.database.connection import Database
from runner.database.errors import LeaseLost
from runner.database.steps import Step
from runner.database.words import StepKind
from runner.executors.base import Artifact
from tests.runner.database.samples import NOW, a_claimed_run


def test_steps_are_written_and_written_over(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
        lint = Step(run_id=run.id, name="lint", position=1)
        test = Step(
            run_id=run.id, name="test (python=3.12)", position=0, needs=("lint",), services=("db",)
        )
        steps.put(tx, run.id, 1, [lint, test])
        assert steps.of(tx, run.id) == [test, lint]
        done = replace(
            test,
            kind=StepKind.FINALLY,
            state=State.FAILURE,
            attempt=2,
            outcome=Outcome.FAILURE,
            cause=Cause.EXIT_CODE,
            reason="exited with 1",
            exit_code=1,
            allow_failure=True,
            started_at=NOW,
            ended_at=NOW + 1.25,
            outputs={"passed": "3", "ü": "\0"},
            artifacts=(Artifact(path="a/b", size=3, digest="d"),),
            snapshot="s",
            warnings=("w",),
        )
        steps.put(tx, run.id, 1, [done])
        steps.put(tx, run.id, 1, [])
    with database.read() as tx:
        assert steps.of(tx, run.id) == [done, lint]
        assert steps.find(tx, run.id, test.name) == done
        assert steps.find(tx, run.id, "none") is None
        assert steps.of(tx, "none") == []


def test_an_old_epoch_writes_no_steps(database: Database) -> None:
    with database.write() as tx:
        run = a_claimed_run(tx)
    with pytest.raises(LeaseLost), database.write() as tx:
        steps.put(tx, run.id, 0, [Step(run_id=run.id, name="lint", position=1)])
    with database.read() as tx:
        assert steps.of(tx, run.id) == []
