"""What is shown on the commit for each way a run can stand."""

from __future__ import annotations

import pytest

from pipelines.events import PullRequest, Push
from pipelines.states import RunStatus, State
from webhooks.forges.base import StatusState
from webhooks.statuses import context_of, describe, state_of

SEVEN = {State.SUCCESS: 7}


@pytest.mark.parametrize(
    ("run_status", "state"),
    [
        (RunStatus.QUEUED, StatusState.PENDING),
        (RunStatus.RUNNING, StatusState.PENDING),
        (RunStatus.SUCCESS, StatusState.SUCCESS),
        (RunStatus.WARNING, StatusState.WARNING),
        (RunStatus.FAILURE, StatusState.FAILURE),
        (RunStatus.ERROR, StatusState.ERROR),
        (RunStatus.CANCELLED, StatusState.CANCELLED),
    ],
)
def test_states(run_status: RunStatus, state: StatusState) -> None:
    assert state_of(run_status) is state


def test_no_status_is_forgotten() -> None:
    assert all(describe(run_status) and state_of(run_status) for run_status in RunStatus)


@pytest.mark.parametrize(
    ("run_status", "counts", "culprit", "duration", "expected"),
    [
        (RunStatus.QUEUED, {}, "", None, "Queued"),
        (RunStatus.RUNNING, {}, "", 3.0, "Running"),
        (
            RunStatus.RUNNING,
            {State.SUCCESS: 2, State.SKIPPED: 1, State.RUNNING: 3, State.RETRYING: 1},
            "",
            3.0,
            "Running: 3 of 7 steps ended",
        ),
        (RunStatus.SUCCESS, SEVEN, "", 12.0, "Success: 7 steps in 12 s"),
        (RunStatus.SUCCESS, SEVEN, "", None, "Success: 7 steps"),
        (RunStatus.SUCCESS, {State.SUCCESS: 1}, "", 0.42, "Success: 1 step in 0.4 s"),
        (
            RunStatus.SUCCESS,
            {State.SUCCESS: 5, State.SKIPPED: 2},
            "",
            65.0,
            "Success: 5 steps (2 skipped) in 1m 5s",
        ),
        (RunStatus.SUCCESS, {State.SKIPPED: 2}, "", None, "Success: 0 steps (2 skipped)"),
        (RunStatus.SUCCESS, {}, "", None, "Success"),
        (RunStatus.WARNING, SEVEN, "lint exited with 1", 9.0, "Warning: lint exited with 1"),
        (
            RunStatus.FAILURE,
            SEVEN,
            "test (python=3.12) exited with 1",
            9.0,
            "Failure: test (python=3.12) exited with 1",
        ),
        (
            RunStatus.FAILURE,
            {State.FAILURE: 1, State.ERROR: 1, State.BLOCKED: 1, State.SUCCESS: 4},
            "",
            9.0,
            "Failure: 2 of 7 steps failed after 9 s",
        ),
        (RunStatus.FAILURE, {}, "", 9.0, "Failure after 9 s"),
        (
            RunStatus.ERROR,
            {},
            ".ci.yaml:3:5: unknown key stesp",
            None,
            "Error: .ci.yaml:3:5: unknown key stesp",
        ),
        (RunStatus.CANCELLED, SEVEN, "", 12.0, "Cancelled after 12 s"),
        (RunStatus.CANCELLED, SEVEN, "by ada", 12.0, "Cancelled: by ada"),
        (RunStatus.ERROR, {}, "a\nb\x1b[31m", None, "Error: a b[31m"),
        (RunStatus.ERROR, {}, "x" * 200, None, "Error: " + "x" * 132 + "…"),
    ],
)
def test_descriptions(
    run_status: RunStatus,
    counts: dict[State, int],
    culprit: str,
    duration: float | None,
    expected: str,
) -> None:
    assert describe(run_status, counts, culprit, duration) == expected
    assert len(expected) <= 140


def test_a_pull_request_has_a_context_of_its_own() -> None:
    pull = PullRequest(
        number=1,
        action="opened",
        branch="main",
        source_branch="x",
        commit="c",
        ref="refs/pull/1/head",
    )
    assert context_of("ci", pull) == "ci/pull-request"
    assert context_of("ci", Push(branch="main", commit="c")) == "ci"
