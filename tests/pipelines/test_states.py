"""The words for how things stand are the ones that rows, pages and expressions know."""

from __future__ import annotations

import pytest

from pipelines.states import TERMINAL, Outcome, RunStatus, State


def test_what_has_ended_and_what_has_not() -> None:
    assert {state for state in State if not state.terminal} == {
        State.PENDING,
        State.QUEUED,
        State.RUNNING,
        State.RETRYING,
    }
    assert {state for state in State if state.terminal} == TERMINAL
    assert {status for status in RunStatus if not status.terminal} == {
        RunStatus.QUEUED,
        RunStatus.RUNNING,
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_the_end_of_a_step(outcome: Outcome) -> None:
    assert State(outcome).terminal


@pytest.mark.parametrize("state", [State.FAILURE, State.ERROR, State.CANCELLED, State.SUCCESS])
def test_a_run_can_stand_as_its_worst_step_does(state: State) -> None:
    assert RunStatus(state).terminal
