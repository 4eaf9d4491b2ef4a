"""How the steps of a run came out, as values that every display shows in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.durations import format_duration
from pipelines.progress import StepProgress
from pipelines.states import RunStatus
from runner.cli.signs import signed
from runner.cli.tables import table
from runner.cli.terminal import first_line
from runner.cli.times import took


@dataclass(frozen=True)
class StepResult:
    """A step at the end of its run; `duration` is seconds, None if it did not run."""

    name: str
    status: str
    cause: str
    reason: str
    exit_code: int | None
    attempts: int
    outputs: Mapping[str, str]
    duration: float | None


def result_of(name: str, step: StepProgress) -> StepResult:
    """Return how a step came out, or how it stands."""
    attempt = step.attempt
    return StepResult(
        name=name,
        status=step.state,
        cause=attempt.cause if attempt else "",
        reason=step.reason,
        exit_code=attempt.exit_code if attempt else None,
        attempts=len(step.attempts),
        outputs=dict(step.outputs or {}),
        duration=duration_of(step),
    )


def duration_of(step: StepProgress) -> float | None:
    """Return how many seconds the newest attempt of a step took; None if it has no end or start."""
    attempt = step.attempt
    if attempt is None or attempt.started_at is None or attempt.ended_at is None:
        return None
    return max(attempt.ended_at - attempt.started_at, 0.0)


def time_of(step: StepProgress) -> str:
    """Return the same for people."""
    attempt = step.attempt
    return took(attempt.started_at, attempt.ended_at) if attempt else ""


def summary(steps: Mapping[str, StepProgress], width: int | None) -> list[str]:
    """Return the lines of a table with a row for each step."""
    rows = [
        (name, signed(step.state), time_of(step), first_line(step.reason))
        for name, step in steps.items()
    ]
    return table(("STEP", "STATUS", "TIME", "REASON"), rows, width) if rows else []


def verdict(status: RunStatus, seconds: float) -> str:
    """Return the last line: the run's status and how long it took."""
    return signed(status, f"{status} after {format_duration(seconds)}")


def record_of(
    steps: Mapping[str, StepProgress], status: RunStatus, seconds: float
) -> dict[str, Any]:
    """Return the whole result as JSON values."""
    return {
        "run": {"status": status, "duration": round(seconds, 3)},
        "steps": [asdict(result_of(name, step)) for name, step in steps.items()],
    }
