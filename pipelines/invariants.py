"""What must hold of a machine at all times, checked the slow and obvious way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.plan import StepKind
from pipelines.progress import StepProgress
from pipelines.states import State

if TYPE_CHECKING:
    from pipelines.machine import Machine


def violations(machine: Machine) -> list[str]:
    """Return what does not hold, each naming the step and the rule; nothing if all is well."""
    found = [*_of_the_run(machine)]
    for name, step in machine.steps.items():
        found.extend(f"{name}: {what}" for what in _of_a_step(machine, step))
    return found


def _of_the_run(machine: Machine) -> Iterator[str]:
    still_open = [name for name, step in machine.steps.items() if not step.state.terminal]
    if machine.began_at is None:
        if any(step.state is not State.PENDING for step in machine.steps.values()):
            yield "a step moved before the run began"
    elif machine.status.terminal is bool(still_open):
        yield f"the run is {machine.status} while these are open: {still_open}"
    if (machine.ended_at is not None) is (bool(still_open) or machine.began_at is None):
        yield f"ended_at is {machine.ended_at} while these are open: {still_open}"


def _of_a_step(machine: Machine, step: StepProgress) -> Iterator[str]:
    yield from _of_its_needs(machine, step)
    yield from _of_its_attempts(step)
    yield from _of_its_want(machine, step)
    if step.state is State.BLOCKED:
        culprit = machine.steps.get(step.culprit or "")
        if culprit is None or not culprit.spoiled or culprit.state is State.BLOCKED:
            yield f"blocked by {step.culprit}, which did not fail"
    if step.state in (State.SKIPPED, State.BLOCKED) and not step.reason:
        yield f"{step.state} without a reason"
    if (step.ended_at is not None) is not step.state.terminal:
        yield f"ended_at is {step.ended_at} while it is {step.state}"


def _of_its_needs(machine: Machine, step: StepProgress) -> Iterator[str]:
    needs = {need: machine.steps[need] for need in step.planned.needs}
    unmet = [name for name, need in needs.items() if not need.state.terminal]
    if step.unmet != len(unmet):
        yield f"counts {step.unmet} unmet needs, but they are {unmet}"
    stopped = step.state in (State.PENDING, State.CANCELLED)
    if unmet and not stopped:
        yield f"is {step.state} before its needs ended: {unmet}"
    if step.planned.kind is StepKind.FINALLY and not stopped:
        early = [n for n in machine.plan.normal if not machine.steps[n].state.terminal]
        if early:
            yield f"is {step.state} before the graph ended: {early}"
    idle = machine.began_at is not None and step.state is State.PENDING and not unmet
    if idle and step.planned.kind is StepKind.NORMAL:
        yield "is pending though nothing holds it"


def _of_its_attempts(step: StepProgress) -> Iterator[str]:
    numbers = [attempt.number for attempt in step.attempts]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"has attempts {numbers}"
    live = [attempt.number for attempt in step.attempts if attempt.outcome is None]
    expected = [len(numbers)] if step.state in (State.QUEUED, State.RUNNING) else []
    if live != expected:
        yield f"is {step.state} with live attempts {live}"
    if step.state is State.RUNNING and step.attempts[-1].started_at is None:
        yield "runs without a start"
    if (step.retry_at is not None) is not (step.state is State.RETRYING):
        yield f"is {step.state} and tries again at {step.retry_at}"


def _of_its_want(machine: Machine, step: StepProgress) -> Iterator[str]:
    want = machine.wanted().get(step.planned.name)
    if (want is not None) is not (step.state in (State.QUEUED, State.RUNNING)):
        yield f"is {step.state} and wanted: {want}"
    if want is not None and want.attempt != len(step.attempts):
        yield f"attempt {want.attempt} is wanted, of {len(step.attempts)}"
