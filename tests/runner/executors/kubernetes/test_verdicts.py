"""Whose doing an end was: what the agent tells, and what Kubernetes says beside it."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import AttemptId, Result
from runner.executors.kubernetes import verdicts
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.records import Told
from runner.kube.podstatus import PodPhase, Reading
from runner.kube.waits import Verdict

ENDED = Result(outcome=Outcome.FAILURE, cause=Cause.EXIT_CODE, exit_code=1, ended_at=1.0)
STOPPED = Result(outcome=Outcome.CANCELLED, cause=Cause.CANCELLED, message="stopped", ended_at=1.0)
SIGTERM = Result(
    outcome=Outcome.FAILURE, cause=Cause.SIGNAL, message="ended by SIGTERM", ended_at=1.0
)
KILLED = Result(outcome=Outcome.FAILURE, cause=Cause.SIGNAL, message="killed", ended_at=1.0)
MEMORY = Verdict(outcome=Outcome.FAILURE, cause=Cause.OUT_OF_MEMORY, message="oom", exit_code=137)
EVICTED = Verdict(outcome=Outcome.ERROR, cause=Cause.EVICTED, message="evicted")
LOST = Verdict(outcome=Outcome.ERROR, cause=Cause.LOST, message="deleted")
OWN = Verdict(outcome=Outcome.FAILURE, cause=Cause.EXIT_CODE, message="exit code 1", exit_code=1)


def says(verdict: Verdict | None = None, *warnings: str) -> Reading:
    phase = PodPhase.RUNNING if verdict is None else PodPhase.ENDED
    return Reading(phase=phase, verdict=verdict, warnings=warnings)


def case(**changes: Any) -> Case:
    made = Case(AttemptId("r", "s", 1), let_go=True)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("told", "stopping", "needed"),
    [
        (Told(result=ENDED), False, False),
        (Told(result=KILLED, confirmed=False), False, True),
        (Told(result=KILLED, confirmed=False), True, True),
        (Told(result=STOPPED), False, True),
        (Told(result=STOPPED), True, False),
        (Told(result=SIGTERM), False, True),
        (Told(result=SIGTERM), True, False),
        (Told(result=KILLED), False, False),
    ],
)
def test_when_the_status_is_asked(told: Told, stopping: bool, needed: bool) -> None:
    assert verdicts.needs_status(case(stopping=stopping), told) is needed


def test_an_exit_code_that_sigterm_makes_is_looked_at_too() -> None:
    by_shell = Told(
        result=Result(outcome=Outcome.FAILURE, cause=Cause.EXIT_CODE, exit_code=143, ended_at=1.0)
    )
    assert verdicts.needs_status(case(), by_shell)


@pytest.mark.parametrize(
    ("told", "verdict", "cause", "message"),
    [
        (Told(result=ENDED), MEMORY, Cause.EXIT_CODE, ""),
        (Told(result=KILLED, confirmed=False), MEMORY, Cause.OUT_OF_MEMORY, "oom"),
        (Told(result=KILLED, confirmed=False), EVICTED, Cause.EVICTED, "evicted"),
        (Told(result=KILLED, confirmed=False), OWN, Cause.SIGNAL, "killed"),
        (Told(result=KILLED, confirmed=False), None, Cause.SIGNAL, "killed"),
        (Told(result=STOPPED), EVICTED, Cause.EVICTED, "evicted"),
        (Told(result=SIGTERM), LOST, Cause.LOST, "deleted"),
        (Told(result=SIGTERM), OWN, Cause.SIGNAL, "ended by SIGTERM"),
    ],
)
def test_who_is_blamed(told: Told, verdict: Verdict | None, cause: Cause, message: str) -> None:
    blamed = verdicts.blame(told.result, told, case(), says(verdict))
    assert (blamed.cause, blamed.message) == (cause, message)


def test_an_end_that_nobody_asked_for_is_no_cancellation() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Running"}}
    blamed = verdicts.blame(STOPPED, Told(result=STOPPED), case(last=pod), says())
    assert (blamed.outcome, blamed.cause) == (Outcome.ERROR, Cause.LOST)
    assert blamed.message == "its Pod was deleted, and not by Hookline"


def test_what_was_asked_for_is_a_cancellation() -> None:
    told = Told(result=STOPPED)
    assert verdicts.blame(STOPPED, told, case(stopping=True), says(LOST)) == STOPPED


def test_the_exit_code_of_the_step_is_kept() -> None:
    ended = Result(outcome=Outcome.FAILURE, cause=Cause.SIGNAL, exit_code=5, ended_at=1.0)
    blamed = verdicts.blame(ended, Told(result=ended, confirmed=False), case(), says(MEMORY))
    assert blamed.exit_code == 5


def test_what_happened_on_the_side_is_a_warning() -> None:
    blamed = verdicts.blame(ENDED, Told(result=ENDED), case(), says(None, "service `db` ended"))
    assert blamed.warnings == ("service `db` ended",)


def test_an_end_of_which_only_the_status_tells() -> None:
    reading = Reading(phase=PodPhase.ENDED, verdict=MEMORY, may_have_run=True, warnings=("w",))
    result = verdicts.lost(case(), reading, 9.0)
    assert (result.outcome, result.cause, result.exit_code) == (
        Outcome.FAILURE,
        Cause.OUT_OF_MEMORY,
        137,
    )
    assert (result.started, result.ended_at, result.warnings) == (True, 9.0, ("w",))
