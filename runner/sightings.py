"""What a look at an attempt tells the machine of its run."""

from __future__ import annotations

from pipelines.states import Cause, Outcome
from pipelines.stimuli import StepEnded, StepStarted, StepWaiting, Stimulus
from runner.executors.base import AttemptId, Phase, Result, Sighting


def stimulus_of(attempt: AttemptId, sighting: Sighting, now: float) -> Stimulus | None:
    """Return what a look at an attempt tells its machine; None if nothing."""
    match sighting.phase:
        case Phase.ABSENT:
            return None
        case Phase.WAITING:
            return StepWaiting(
                at=now, step=attempt.step, attempt=attempt.number, message=sighting.message
            )
        case Phase.RUNNING:
            at = sighting.started_at if sighting.started_at is not None else now
            return StepStarted(at=at, step=attempt.step, attempt=attempt.number)
        case Phase.ENDED:
            return _ended(attempt, sighting.result, now)


def lost(attempt: AttemptId, now: float) -> StepEnded:
    """Return the end of an attempt that ran, and of which nothing is left."""
    return StepEnded(
        at=now,
        step=attempt.step,
        attempt=attempt.number,
        outcome=Outcome.ERROR,
        cause=Cause.LOST,
        message="it was running, and is nowhere to be found",
    )


def vanished(attempt: AttemptId, now: float) -> StepEnded:
    """Return the end of an attempt that was handed over and never came to run."""
    return StepEnded(
        at=now,
        step=attempt.step,
        attempt=attempt.number,
        outcome=Outcome.ERROR,
        cause=Cause.EXECUTOR,
        message="it was handed over, and was gone before its command could run",
        ran=False,
    )


def never_began(attempt: AttemptId, now: float) -> StepEnded:
    """Return the end of an attempt that was asked to end before it was there."""
    return StepEnded(
        at=now,
        step=attempt.step,
        attempt=attempt.number,
        outcome=Outcome.CANCELLED,
        cause=Cause.CANCELLED,
        message="it had not started",
        ran=False,
    )


def _ended(attempt: AttemptId, result: Result | None, now: float) -> StepEnded:
    if result is None:
        return lost(attempt, now)
    return StepEnded(
        at=result.ended_at,
        step=attempt.step,
        attempt=attempt.number,
        outcome=result.outcome,
        cause=result.cause,
        exit_code=result.exit_code,
        message=result.message,
        ran=result.started,
        started_at=result.started_at,
        snapshot=result.snapshot,
        outputs=dict(result.outputs),
        artifacts=tuple(
            {"path": a.path, "size": a.size, "digest": a.digest} for a in result.artifacts
        ),
        warnings=result.warnings,
    )
