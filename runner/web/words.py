"""How values read on a page: moments, lengths of time, sizes, and the tone of a state."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.durations import format_duration
from pipelines.events import PullRequest
from pipelines.states import RunStatus, State
from runner.database.runs import Run
from runner.database.steps import Step
from webhooks.refs import short

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_PHRASES = {
    State.PENDING: "waiting",
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.RETRYING: "tried again soon",
    State.SUCCESS: "passed",
    State.FAILURE: "failed",
    State.ERROR: "error",
    State.CANCELLED: "cancelled",
    State.SKIPPED: "skipped",
    State.BLOCKED: "blocked",
}
_RUN_PHRASES = {
    RunStatus.QUEUED: "Queued",
    RunStatus.RUNNING: "Running",
    RunStatus.SUCCESS: "Passed",
    RunStatus.WARNING: "Passed with warnings",
    RunStatus.FAILURE: "Failed",
    RunStatus.ERROR: "Error",
    RunStatus.CANCELLED: "Cancelled",
}


def tone(step: Step) -> str:
    """Return the word for a step's colour and icon: its state, but `warning` for one forgiven."""
    if step.allow_failure and step.state in (State.FAILURE, State.ERROR):
        return "warning"
    return step.state.value


def phrase(step: Step) -> str:
    """Return how a step stands, in a word or two."""
    word = _PHRASES[step.state]
    return f"{word}, allowed to" if tone(step) == "warning" else word


def run_phrase(status: RunStatus) -> str:
    """Return how a run stands, in a word or two."""
    return _RUN_PHRASES[status]


def place(run: Run) -> str:
    """Return what was built: `main`, `tag v1`, `pull request 7`."""
    if isinstance(run.event, PullRequest):
        return f"pull request {run.event.number}"
    return short(run.ref)


def moment(at: float) -> str:
    """Return a time for people, in UTC."""
    return _utc(at).strftime("%-d %b %Y, %H:%M UTC")


def iso(at: float) -> str:
    """Return a time for machines (RFC 3339)."""
    return _utc(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(since: float | None, until: float | None) -> str:
    """Return the time between two moments; empty if one of them is not there yet."""
    if since is None or until is None:
        return ""
    return format_duration(max(until - since, 0.0))


def offset(seconds: float) -> str:
    """Return how far into an attempt a line was written: `0:07`, `1:02:03`."""
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """Return a number of bytes for people."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    digits = 0 if count >= 10 or unit == 0 else 1
    return f"{count:.{digits}f} {_UNITS[unit]}"


def headline(message: str) -> str:
    """Return the first line of a commit message that says something."""
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line), "")


def _utc(at: float) -> datetime:
    """Return a moment; the epoch for one that no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
