"""A machine at the wheel of a test: short verbs, a clock that ticks, and no state left unchecked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipelines import loader, planning, stimuli
from pipelines.events import Event, Push
from pipelines.machine import Machine, Start, Stop
from pipelines.plan import Plan, StepKind
from pipelines.progress import StepProgress
from pipelines.states import Cause, Outcome, RunStatus, State
from pipelines.stimuli import (
    Began,
    CancelAsked,
    RerunAsked,
    RerunMode,
    StepEnded,
    StepStarted,
    StepWaiting,
    Stimulus,
    TimePassed,
)

PUSH = Push(branch="main", commit="c0ffee", message="Mend the roof", author="Ada")


def plan_of(
    text: str, event: Event = PUSH, changed: tuple[str, ...] | None = None, **limits: Any
) -> Plan:
    """Return the plan of a file."""
    return planning.plan(loader.load(text), event, planning.Limits(**limits), changed)


class Driver:
    """A machine, the time, and all that the machine was told; valid after every stimulus."""

    def __init__(self, plan: Plan) -> None:
        self.machine = Machine(plan)
        self.told: list[Stimulus] = []
        self.now = 1000.0

    # What happens

    def tell(self, stimulus: Stimulus) -> frozenset[str]:
        changed = self.machine.handle(stimulus)
        self.told.append(stimulus)
        self.now += 1
        self.machine.validate()
        return changed

    def begin(self) -> Driver:
        self.tell(Began(at=self.now, source="source"))
        return self

    def wait(self, step: str, message: str = "") -> frozenset[str]:
        return self.tell(
            StepWaiting(at=self.now, step=step, attempt=self._number(step), message=message)
        )

    def start(self, *steps: str) -> None:
        for step in steps:
            self.tell(StepStarted(at=self.now, step=step, attempt=self._number(step)))

    def end(
        self,
        step: str,
        outcome: Outcome = Outcome.SUCCESS,
        cause: Cause = Cause.NONE,
        **rest: Any,
    ) -> None:
        number = rest.pop("attempt", None) or self._number(step)
        self.tell(
            StepEnded(at=self.now, step=step, attempt=number, outcome=outcome, cause=cause, **rest)
        )

    def succeed(self, *steps: str, **rest: Any) -> None:
        for step in steps:
            self.end(step, snapshot=f"of {step}#{self._number(step)}", **rest)

    def fail(self, *steps: str, exit_code: int = 1) -> None:
        for step in steps:
            message = f"exit code {exit_code}"
            self.end(step, Outcome.FAILURE, Cause.EXIT_CODE, exit_code=exit_code, message=message)

    def err(self, step: str, cause: Cause = Cause.NODE_LOST, *, ran: bool = True) -> None:
        self.end(step, Outcome.ERROR, cause, message=str(cause), ran=ran)

    def stopped(self, *steps: str) -> None:
        for step in steps:
            self.end(step, Outcome.CANCELLED, Cause.CANCELLED, message="stopped")

    def cancel(self, by: str = "ada") -> None:
        self.tell(CancelAsked(at=self.now, by=by))

    def rerun(self, mode: RerunMode = RerunMode.ALL, step: str = "") -> None:
        self.tell(RerunAsked(at=self.now, mode=mode, step=step, by="ada"))

    def pass_time(self, to: float | None = None) -> None:
        """Let time pass up to a moment, or to the next one that matters."""
        due = self.machine.next_timer() if to is None else to
        assert due is not None, "nothing waits for time"
        self.now = max(self.now, due)
        self.tell(TimePassed(at=due))

    # What is true now

    def __getitem__(self, step: str) -> StepProgress:
        return self.machine.steps[step]

    @property
    def states(self) -> dict[str, State]:
        return {name: step.state for name, step in self.machine.steps.items()}

    def of(self, *steps: str) -> tuple[State, ...]:
        return tuple(self[step].state for step in steps)

    @property
    def wants(self) -> dict[str, str]:
        """What is wanted, in short: `start#1`, `stop#2 cancel`."""
        return {name: _shown(want) for name, want in self.machine.wanted().items()}

    def status(self) -> RunStatus:
        return self.machine.status

    def _number(self, step: str) -> int:
        return len(self[step].attempts)


def _shown(want: Start | Stop) -> str:
    if isinstance(want, Start):
        return f"start#{want.attempt}"
    return f"stop#{want.attempt} {want.reason}"


def picture(machine: Machine) -> Mapping[str, Any]:
    """Return all that a machine shows, to compare two of them."""
    return {
        "status": machine.status,
        "round": machine.round,
        "cancelled_by": machine.cancelled_by,
        "times": (machine.began_at, machine.round_began_at, machine.ended_at),
        "next_timer": machine.next_timer(),
        "wanted": {name: _shown(want) for name, want in machine.wanted().items()},
        "story": {name: machine.story(name) for name in machine.steps},
        "inputs": {name: machine.inputs(name) for name in machine.steps},
        "steps": {
            name: {k: v for k, v in asdict(step).items() if k != "planned"}
            for name, step in machine.steps.items()
        },
    }


def through_json(stimulus: Stimulus) -> Stimulus:
    """Return a stimulus as the journal gives it back."""
    return stimuli.from_record(json.loads(json.dumps(stimuli.to_record(stimulus))))


def normal(machine: Machine) -> list[StepProgress]:
    """Return how the steps of the graph itself stand."""
    return [s for s in machine.steps.values() if s.planned.kind is StepKind.NORMAL]
