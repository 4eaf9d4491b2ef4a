"""What a step's turn comes to: does it run, and with which image and variables?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pipelines.errors import ExpressionError
from pipelines.events import Event
from pipelines.expressions import MissingOutput, Scope, StepView, Value
from pipelines.names import EVENT_FIELDS
from pipelines.plan import Plan, PlannedService, PlannedStep, StepKind
from pipelines.progress import Rendered, RenderedService, StepProgress
from pipelines.states import State

_WORST_FIRST = (
    State.ERROR,
    State.FAILURE,
    State.CANCELLED,
    State.BLOCKED,
    State.SUCCESS,
    State.SKIPPED,
)


@dataclass(frozen=True)
class Run:
    """The step runs, with what its templates came to."""

    rendered: Rendered


@dataclass(frozen=True)
class Skip:
    """The step is skipped."""

    reason: str


@dataclass(frozen=True)
class Block:
    """The step cannot run because of another."""

    reason: str
    culprit: str


@dataclass(frozen=True)
class Broken:
    """An expression of the step cannot be evaluated."""

    reason: str


Verdict: TypeAlias = Run | Skip | Block | Broken


def judge(
    plan: Plan, step: StepProgress, steps: Mapping[str, StepProgress], run_status: str
) -> Verdict:
    """Return what becomes of a step all of whose needs have ended.

    The rules are those of the state machine: a skip satisfies, a failure blocks unless `when:`
    asks for it, a missing output skips whoever uses it without a default.
    """
    planned = step.planned
    when = planned.when
    if (when is None or not when.looks_at_status) and (blocked := _blocked(planned, steps)):
        return blocked
    scope = scope_of(plan, planned, steps, run_status)
    try:
        if when is not None and not when.holds(scope):
            return Skip(f"`when: {when.text}` is false")
        return Run(_render(planned, scope))
    except MissingOutput as missing:
        return Skip(f"uses the output `{missing.output}` of {_why_missing(missing)}")
    except ExpressionError as error:
        return Broken(f"`{planned.name}`: {error}")


def scope_of(
    plan: Plan, step: PlannedStep, steps: Mapping[str, StepProgress], run_status: str
) -> Scope:
    """Return the names that the expressions of a step may use, and what they hold now."""
    if step.kind is StepKind.FINALLY:
        needed = [steps[name] for name in plan.normal]
        needed += [steps[name] for name in step.needs]
    else:
        needed = [steps[name] for name in step.needs]
    return Scope(
        event=event_values(plan.event),
        env={n: text.evaluate(_EMPTY) for n, text in step.env.items() if text.constant},
        matrix=dict(step.matrix),
        inputs={},
        steps=_Views(plan, step, steps),
        success=all(need.satisfied for need in needed),
        failure=any(need.tainted for need in needed),
        changed=plan.changed,
        run_status=run_status if step.kind is StepKind.FINALLY else None,
    )


def event_values(event: Event) -> dict[str, Value]:
    """Return what `event.` holds: every field there is, null where this event has none."""
    return {name: getattr(event, name, None) for name in EVENT_FIELDS}


class _Views(Mapping[str, StepView]):
    """The steps that a step may look at, by their names in the file; made when looked at."""

    def __init__(self, plan: Plan, step: PlannedStep, steps: Mapping[str, StepProgress]) -> None:
        self._plan = plan
        self._step = step
        self._steps = steps

    def __getitem__(self, group: str) -> StepView:
        members = [self._steps[name] for name in self._plan.groups[group]]
        if not self._ended(members[0].planned):
            raise KeyError(group)
        return _view(members, expanded=bool(members[0].planned.matrix))

    def __iter__(self) -> Iterator[str]:
        ended = (planned for planned in self._plan.steps.values() if self._ended(planned))
        return iter(dict.fromkeys(planned.group for planned in ended))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _ended(self, other: PlannedStep) -> bool:
        """Whether another step has ended when this one's turn comes, whatever the run."""
        graph_is_over = self._step.kind is StepKind.FINALLY and other.kind is StepKind.NORMAL
        return graph_is_over or self._plan.graph.comes_before(other.name, self._step.name)


def _view(members: list[StepProgress], *, expanded: bool) -> StepView:
    states = {member.state for member in members}
    status = next(state for state in _WORST_FIRST if state in states)
    if not expanded:
        (only,) = members
        return StepView(status=status, outputs=only.outputs, skipped=only.state is State.SKIPPED)
    names = dict.fromkeys(name for member in members for name in member.planned.outputs)
    listed: dict[str, Value] = {
        name: [(member.outputs or {}).get(name) for member in members] for name in names
    }
    ran = any(member.outputs is not None for member in members)
    return StepView(
        status=status, outputs=listed if ran else None, skipped=states == {State.SKIPPED}
    )


def _blocked(planned: PlannedStep, steps: Mapping[str, StepProgress]) -> Block | None:
    """Return what blocks a step: the first need that is spoiled, or what had blocked that."""
    for name in planned.needs:
        need = steps[name]
        if need.spoiled:
            culprit = need.culprit or name
            return Block(f"`{culprit}` {_ended(steps[culprit])}", culprit)
    return None


def _ended(step: StepProgress) -> str:
    match step.state:
        case State.CANCELLED:
            return "was cancelled"
        case State.ERROR:
            return f"could not be run: {step.reason}" if step.reason else "could not be run"
        case _:
            return f"failed: {step.reason}" if step.reason else "failed"


def _why_missing(missing: MissingOutput) -> str:
    why = "which was skipped" if missing.skipped else "which did not write it"
    return f"`{missing.step}`, {why}"


def _render(planned: PlannedStep, scope: Scope) -> Rendered:
    return Rendered(
        image=planned.image.evaluate(scope) if planned.image else None,
        env={name: text.evaluate(scope) for name, text in planned.env.items()},
        artifacts=tuple(glob.evaluate(scope) for glob in planned.artifacts),
        services=tuple(_rendered_service(service, scope) for service in planned.services),
    )


def _rendered_service(service: PlannedService, scope: Scope) -> RenderedService:
    """Return a service with what its templates come to; raises what evaluating them does."""
    return RenderedService(
        name=service.name,
        image=service.image.evaluate(scope),
        command=service.command,
        env={name: text.evaluate(scope) for name, text in service.env.items()},
        ready=service.ready,
        resources=service.resources,
    )


_EMPTY = Scope()
