"""Which steps will probably run next, so that what they start in can be made ready before.

A guess that costs little when it is wrong: nothing of a step runs before its turn. It is made only
where what a step *starts* with (its image) is known already, though what it runs on is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.conditions import scope_of
from pipelines.errors import ExpressionError
from pipelines.expressions import Reference, ReferenceKind, Scope
from pipelines.machine import Machine, Start
from pipelines.plan import PlannedStep
from pipelines.states import State

_OF_STEPS = (ReferenceKind.STATUS, ReferenceKind.OUTPUT)


@dataclass(frozen=True)
class Foreseen:
    """An attempt that may be wanted soon, and the image its step will run in."""

    step: str
    attempt: int
    image: str | None


def foresee(machine: Machine, limit: int) -> tuple[Foreseen, ...]:
    """Return at most `limit` attempts that will be wanted if all that runs now ends well.

    The nearest come first. Left out are steps whose image or `when:` depends on what is not known
    yet, whose `when:` asks how others ended, that have services or name secrets (a secret leaves its
    place only when the step's turn has come), and those behind a step that is being stopped.
    """
    if machine.cancelled_by is not None:
        return ()
    found: list[Foreseen] = []
    nearest = [name for name, want in machine.wanted().items() if isinstance(want, Start)]
    coming = set(nearest)
    while nearest and len(found) < limit:
        seen = [_foreseen(machine, name) for name in _next(machine, nearest, coming)]
        added = [foreseen for foreseen in seen if foreseen is not None]
        nearest = [foreseen.step for foreseen in added]
        coming.update(nearest)
        found += added
    if len(found) < limit and _is_last(machine, coming):
        seen = [_foreseen(machine, name) for name in _first_of_finally(machine, coming)]
        found += [foreseen for foreseen in seen if foreseen is not None]
    return tuple(found[:limit])


def _next(machine: Machine, nearest: Iterable[str], coming: set[str]) -> Iterator[str]:
    """Yield the steps that wait for these, and for nothing else that is not coming as well."""
    dependents = machine.plan.graph.dependents
    for name in dict.fromkeys(waiting for near in nearest for waiting in dependents[near]):
        step = machine.steps[name]
        fresh = step.state is State.PENDING and name not in coming
        if fresh and all(n in coming or machine.steps[n].satisfied for n in step.planned.needs):
            yield name


def _is_last(machine: Machine, coming: set[str]) -> bool:
    """Whether nothing of the graph is left but what is coming."""
    steps = machine.steps
    return all(steps[name].state.terminal or name in coming for name in machine.plan.normal)


def _first_of_finally(machine: Machine, coming: set[str]) -> Iterator[str]:
    for name in machine.plan.final:
        step = machine.steps[name]
        waits = step.planned.needs or name in coming
        if step.state is State.PENDING and not waits:
            yield name


def _foreseen(machine: Machine, name: str) -> Foreseen | None:
    """Return the attempt of a step whose turn may come, None if it cannot be told yet."""
    step = machine.steps[name]
    planned = step.planned
    if planned.secrets or planned.services:
        return None
    if not all(_known(machine, reference) for reference in _needed(planned)):
        return None
    scope = scope_of(machine.plan, planned, machine.steps, machine.status_before_finally)
    try:
        if not _may_run(planned, scope):
            return None
        image = planned.image.evaluate(scope) if planned.image else None
    except ExpressionError:
        return None
    return Foreseen(name, len(step.attempts) + 1, image)


def _needed(planned: PlannedStep) -> Iterator[Reference]:
    if planned.image is not None:
        yield from planned.image.references()
    if planned.when is not None:
        yield from planned.when.references()


def _known(machine: Machine, reference: Reference) -> bool:
    """Whether what is looked at will be the same when the step's turn comes."""
    if reference.kind is ReferenceKind.RUN:
        return False
    if reference.kind not in _OF_STEPS:
        return True
    members = machine.plan.groups[reference.step]
    return all(machine.steps[member].state.terminal for member in members)


def _may_run(planned: PlannedStep, scope: Scope) -> bool:
    when = planned.when
    if when is None:
        return True
    return not when.looks_at_status and when.holds(scope)
