"""How a step that has come so far looks to those who need it."""

from __future__ import annotations

import pytest

from pipelines.progress import Attempt, StepProgress
from pipelines.states import State
from tests.pipelines.driving import plan_of

PLAN = plan_of("steps: {strict: {run: x}, lenient: {run: x, allow_failure: true}}")


def progress(state: State, *, lenient: bool = False) -> StepProgress:
    planned = PLAN.steps["lenient" if lenient else "strict"]
    attempts = [Attempt(number=1, asked_at=0, outputs={"v": "1"})]
    return StepProgress(planned=planned, unmet=0, state=state, attempts=attempts)


@pytest.mark.parametrize(
    ("state", "satisfied", "spoiled"),
    [
        (State.PENDING, False, False),
        (State.QUEUED, False, False),
        (State.RUNNING, False, False),
        (State.RETRYING, False, False),
        (State.SUCCESS, True, False),
        (State.SKIPPED, True, False),
        (State.FAILURE, False, True),
        (State.ERROR, False, True),
        (State.CANCELLED, False, True),
        (State.BLOCKED, False, True),
    ],
)
def test_what_may_be_built_on(state: State, *, satisfied: bool, spoiled: bool) -> None:
    step = progress(state)
    assert (step.satisfied, step.spoiled, step.forgiven) == (satisfied, spoiled, False)


@pytest.mark.parametrize("state", State)
def test_allow_failure_forgives_failures_and_errors_alone(state: State) -> None:
    step = progress(state, lenient=True)
    assert step.forgiven is (state in (State.FAILURE, State.ERROR))
    assert not (step.forgiven and step.spoiled)
    assert not step.forgiven or step.satisfied


@pytest.mark.parametrize("state", State)
def test_outputs_are_there_once_it_ran(state: State) -> None:
    ran = state in (State.SUCCESS, State.FAILURE, State.ERROR)
    assert progress(state).outputs == ({"v": "1"} if ran else None)


def test_an_error_before_any_attempt_has_no_outputs() -> None:
    step = progress(State.ERROR)
    step.attempts.clear()
    assert step.outputs is None


def test_attempts_of_earlier_rounds_do_not_count() -> None:
    step = progress(State.SUCCESS)
    assert step.attempt is step.attempts[0]
    step.earlier = 1
    assert step.attempt is None
    assert step.outputs is None
