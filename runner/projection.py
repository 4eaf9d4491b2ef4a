"""How a run's machine looks in the database: its steps, its attempts, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipelines import progress
from pipelines.machine import Machine
from pipelines.states import State
from runner.database.attempts import Attempt
from runner.database.steps import Step
from runner.database.words import StepKind
from runner.executors.base import Artifact


def step_rows(run: str, machine: Machine, names: Iterable[str]) -> Iterator[Step]:
    """Yield the rows of these steps as they stand now."""
    places = {name: place for place, name in enumerate(machine.steps)}
    for name in names:
        yield _step(run, places[name], machine.steps[name])


def attempt_rows(run: str, machine: Machine, names: Iterable[str]) -> Iterator[Attempt]:
    """Yield the rows of the newest two attempts of these steps, which are all that can change."""
    for name in names:
        for attempt in machine.steps[name].attempts[-2:]:
            yield _attempt(run, name, attempt)


def culprit_of(machine: Machine) -> str:
    """Return what is to blame for a run's colour, `` `test` exited with 1``; empty if nothing."""
    for wanted in (_broke, _forgiven):
        for name, step in machine.steps.items():
            if wanted(step):
                return f"{name}: {step.reason}" if step.reason else f"{name}: {step.state}"
    return ""


def _broke(step: progress.StepProgress) -> bool:
    return step.state in (State.FAILURE, State.ERROR) and not step.forgiven


def _forgiven(step: progress.StepProgress) -> bool:
    return step.forgiven


def _step(run: str, position: int, step: progress.StepProgress) -> Step:
    attempt = step.attempt
    row = Step(
        run_id=run,
        name=step.planned.name,
        position=position,
        kind=StepKind(step.planned.kind),
        state=step.state,
        attempt=len(step.attempts) if attempt else 0,
        allow_failure=step.planned.allow_failure,
        needs=step.planned.needs,
        services=tuple(service.name for service in step.planned.services),
        reason=step.reason,
        ended_at=step.ended_at,
    )
    if attempt is None:
        return row
    return replace(
        row,
        outcome=attempt.outcome,
        cause=attempt.cause,
        exit_code=attempt.exit_code,
        started_at=attempt.started_at,
        outputs=dict(attempt.outputs),
        artifacts=tuple(Artifact(**artifact) for artifact in attempt.artifacts),
        snapshot=attempt.snapshot,
        warnings=attempt.warnings,
    )


def _attempt(run: str, step: str, attempt: progress.Attempt) -> Attempt:
    return Attempt(
        run_id=run,
        step=step,
        number=attempt.number,
        outcome=attempt.outcome,
        cause=attempt.cause,
        reason=attempt.message,
        exit_code=attempt.exit_code,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        outputs=dict(attempt.outputs),
        artifacts=tuple(Artifact(**artifact) for artifact in attempt.artifacts),
        snapshot=attempt.snapshot,
        warnings=attempt.warnings,
    )
