"""What a commit status says about a run, in one line that people read beside the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from pipelines.durations import format_duration
from pipelines.events import Event, PullRequest
from pipelines.states import RunStatus, State
from webhooks.forges.base import StatusState
from webhooks.texts import line

LIMIT = 140

_STATES = {
    RunStatus.QUEUED: StatusState.PENDING,
    RunStatus.RUNNING: StatusState.PENDING,
    RunStatus.SUCCESS: StatusState.SUCCESS,
    RunStatus.WARNING: StatusState.WARNING,
    RunStatus.FAILURE: StatusState.FAILURE,
    RunStatus.ERROR: StatusState.ERROR,
    RunStatus.CANCELLED: StatusState.CANCELLED,
}
_UNSUCCESSFUL = (State.FAILURE, State.ERROR)


def state_of(run_status: RunStatus) -> StatusState:
    """Return what a commit status says for a run's status."""
    return _STATES[run_status]


def context_of(base: str, event: Event) -> str:
    """Return under which name a run's status stands on its commit.

    A pull request has a name of its own: its head is often pushed as well, and the one result must
    not hide the other.
    """
    return f"{base}/pull-request" if isinstance(event, PullRequest) else base


def describe(
    run_status: RunStatus,
    counts: Mapping[State, int] | None = None,
    culprit: str = "",
    duration: float | None = None,
) -> str:
    """Return one line of at most 140 characters.

    `counts` is how many steps are in each state, `culprit` what is to blame (`test (python=3.12)
    exited with 1`; the first message for a broken pipeline file), `duration` seconds.
    """
    detail = _detail(run_status, counts or {}, culprit, duration)
    return line(f"{run_status.capitalize()}{detail}", LIMIT)


def _detail(
    run_status: RunStatus, counts: Mapping[State, int], culprit: str, duration: float | None
) -> str:
    blamed = f": {culprit}" if culprit else ""
    match run_status:
        case RunStatus.QUEUED:
            return ""
        case RunStatus.RUNNING:
            return _progress(counts)
        case RunStatus.SUCCESS:
            return _steps(counts) + _lasting(" in ", duration)
        case RunStatus.CANCELLED:
            return blamed or _lasting(" after ", duration)
        case RunStatus.WARNING | RunStatus.FAILURE | RunStatus.ERROR:
            return blamed or _unsuccessful(counts) + _lasting(" after ", duration)
        case _:
            assert_never(run_status)


def _lasting(before: str, duration: float | None) -> str:
    return "" if duration is None else before + format_duration(duration)


def _progress(counts: Mapping[State, int]) -> str:
    total = sum(counts.values())
    ended = sum(count for state, count in counts.items() if state.terminal)
    return f": {ended} of {_counted(total)} ended" if total else ""


def _steps(counts: Mapping[State, int]) -> str:
    skipped = counts.get(State.SKIPPED, 0)
    ran = sum(counts.values()) - skipped
    told = f": {_counted(ran)}" if ran or skipped else ""
    return told + (f" ({skipped} skipped)" if skipped else "")


def _unsuccessful(counts: Mapping[State, int]) -> str:
    failed = sum(counts.get(state, 0) for state in _UNSUCCESSFUL)
    total = sum(counts.values())
    return f": {failed} of {_counted(total)} failed" if total else ""


def _counted(steps: int) -> str:
    return f"{steps} step" if steps == 1 else f"{steps} steps"
