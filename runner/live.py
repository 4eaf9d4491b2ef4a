"""A run that the engine holds: its rows, its machine, and what was asked of the executor for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines import plan as plans
from pipelines import stimuli
from pipelines.foresight import Foreseen
from pipelines.machine import Machine, Start, Want
from pipelines.plan import Plan, PlannedStep
from pipelines.progress import RenderedService
from pipelines.schema import OnConflict
from pipelines.states import RunStatus, State
from pipelines.stimuli import StepEnded, Stimulus
from pipelines.variables import RunFacts, variables
from runner.database.journal import JournalRecord
from runner.database.runs import Run
from runner.database.steps import Step
from runner.executors.base import AttemptId, Order, Outline, Resources, Service
from runner.ledger import Report, Writing
from runner.projection import attempt_rows, culprit_of, step_rows
from runner.vault import Claimant, GivenVault, Vault
from webhooks.statuses import describe

PLANNED = "planned"
ENDED_EARLY = "ended early"
BEGUN_AGAIN = "begun again"
"""The journal's entries that a machine is not told: it was made, or there is none."""

_WARNINGS = 100
"""How many warnings a run shows; its steps keep their own."""


@dataclass
class LiveRun:
    """One run while this process holds its lease.

    `machine` is None until there is a plan. `asked` is what the executor was last asked for, by
    step; `busy` the steps for which it is being asked right now; `not_before` when it may be asked
    again what it did not do (monotonic seconds). `begun_again` counts how often it
    was begun again without a plan. `vault` has the secrets that its steps name.
    """

    run: Run
    facts: RunFacts
    vault: Vault = field(default_factory=GivenVault)
    machine: Machine | None = None
    sequence: int = 0
    asked: dict[str, Want] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    preparing: bool = False
    tidying: bool = False
    not_before: dict[str, float] = field(default_factory=dict)
    tries: int = 0
    begun_again: int = 0

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.run.id

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the run by itself."""
        return self.run.status.terminal

    def attempt(self, step: str, number: int) -> AttemptId:
        """Return the name of an attempt of one of its steps."""
        return AttemptId(self.id, step, number)

    def runs(self, step: str) -> bool:
        """Return whether the command of a step runs, as far as is known."""
        machine = self.machine
        return machine is not None and machine.steps[step].state is State.RUNNING

    def may_be_asked(self, want: Want, now: float) -> bool:
        """Return whether the executor is to be asked for something it was not asked for yet."""
        fresh = want.step not in self.busy and self.asked.get(want.step) != want
        return fresh and self.not_before.get(want.step, now) <= now

    def ask_again(self, step: str, at: float) -> None:
        """Let the executor be asked for a step again, at a time."""
        self.asked.pop(step, None)
        self.not_before[step] = at

    def waits(self) -> bool:
        """Return whether an attempt is wanted that the executor was not asked for yet."""
        wanted = self.machine.wanted() if self.machine else {}
        return any(self.asked.get(step) != want for step, want in wanted.items())

    def slots(self) -> int:
        """Return how many attempts the executor was asked to run."""
        return sum(isinstance(want, Start) for want in self.asked.values())

    def replay(self, records: Iterable[JournalRecord], replan: Callable[[Run, Any], Plan]) -> None:
        """Bring the machine to where the journal left it."""
        for record in records:
            self.sequence = record.sequence
            if record.kind == PLANNED:
                self.machine = Machine(replan(self.run, record.payload))
            elif record.kind == ENDED_EARLY:
                self.machine = None
            elif record.kind == BEGUN_AGAIN:
                self.begun_again += 1
            elif self.machine is not None:
                told = {**record.payload, "kind": record.kind}
                self.machine.handle(stimuli.from_record(told))

    def tell(self, told: Sequence[Stimulus]) -> Writing | None:
        """Tell the machine what happened; return what is to be written, None if nothing changed."""
        machine = self.machine
        if machine is None:
            return None
        changed: set[str] = set()
        heard: list[Stimulus] = []
        for stimulus in told:
            before = (machine.status, machine.cancelled_by, machine.round)
            moved = machine.handle(stimulus)
            if moved or before != (machine.status, machine.cancelled_by, machine.round):
                heard.append(stimulus)
                changed |= moved
        if not heard:
            return None
        return self._writing(heard, changed)

    def _writing(self, heard: Sequence[Stimulus], changed: set[str]) -> Writing:
        machine = self._machine()
        was = self.run
        self.run = replace(
            was,
            status=machine.status,
            reason=culprit_of(machine) if machine.status.terminal else "",
            attempt=self.begun_again + machine.round,
            started_at=machine.round_began_at,
            ended_at=machine.ended_at,
            warnings=_with_warnings(was.warnings, heard),
        )
        records = [self._record(s.kind, s.at, stimuli.to_record(s)) for s in heard]
        shown = (was.status, was.attempt) != (self.run.status, self.run.attempt)
        return Writing(
            run=self.run,
            records=tuple(records),
            steps=tuple(step_rows(self.id, machine, changed)),
            attempts=tuple(attempt_rows(self.id, machine, changed)),
            report=self.report(heard[-1].at) if shown else None,
        )

    def all_steps(self) -> tuple[Step, ...]:
        """Return the rows of all steps, those included to which nothing has happened yet."""
        machine = self._machine()
        return tuple(step_rows(self.id, machine, machine.steps))

    def planned(self, plan: Plan, payload: dict[str, Any], at: float) -> JournalRecord:
        """Take up a plan; return the journal's record of it."""
        self.machine = Machine(plan)
        return self._record(PLANNED, at, payload)

    def _record(self, kind: str, at: float, payload: dict[str, Any]) -> JournalRecord:
        self.sequence += 1
        held = {name: value for name, value in payload.items() if name != "kind"}
        return JournalRecord(sequence=self.sequence, at=at, kind=kind, payload=held)

    def report(self, at: float) -> Report:
        """Return what the forge is to be told of the run as it stands."""
        return Report(
            state=self.run.status,
            description=self._description(at),
            url=self.facts.url,
            run_attempt=self.run.attempt,
            sequence=self.sequence,
            at=at,
        )

    def _description(self, at: float) -> str:
        counts: dict[State, int] = {}
        for step in self.machine.steps.values() if self.machine else ():
            counts[step.state] = counts.get(step.state, 0) + 1
        since = self.machine.round_began_at if self.machine else self.run.created_at
        duration = at - since if self.ended and since is not None else None
        return describe(self.run.status, counts, self.run.reason, duration)

    def inputs(self, step: str) -> tuple[tuple[tuple[str, str], ...], OnConflict]:
        """Return the snapshots a step begins with, and what holds where they differ."""
        machine = self._machine()
        return machine.inputs(step), machine.plan.on_conflict

    def order(self, step: str, number: int, snapshot: str) -> Order:
        """Return the order for an attempt that begins with a snapshot.

        Its secrets are as they are now; raises VaultError if it cannot have them.
        """
        machine = self._machine()
        progress = machine.steps[step]
        planned = progress.planned
        rendered = progress.rendered
        if rendered is None:
            message = f"{step} is wanted but was never judged"
            raise ValueError(message)
        status = machine.status_before_finally
        return Order(
            attempt=self.attempt(step, number),
            command=(*planned.shell, planned.script),
            environment={
                **rendered.env,
                **variables(self.facts, machine.plan, planned, number, status),
            },
            input=snapshot,
            image=rendered.image,
            resources=_resources(planned.resources),
            services=tuple(map(_service, rendered.services)),
            secrets=self._secrets(planned),
            outputs=planned.outputs,
            artifacts=rendered.artifacts,
            timeout=planned.timeout,
            grace=planned.grace,
        )

    def outline(self, foreseen: Foreseen) -> Outline:
        """Return what an attempt needs to start that may be wanted soon."""
        planned = self._machine().steps[foreseen.step].planned
        return Outline(
            attempt=self.attempt(foreseen.step, foreseen.attempt),
            image=foreseen.image,
            resources=_resources(planned.resources),
            timeout=planned.timeout,
            grace=planned.grace,
        )

    def _secrets(self, planned: PlannedStep) -> Mapping[str, str]:
        if not planned.secrets:
            return {}
        run = self.run
        claimant = Claimant(run.repository_id, self.facts.repository, run.trust)
        return self.vault.open(claimant, planned.secrets)

    def _machine(self) -> Machine:
        if self.machine is None:
            message = f"run {self.id} has no plan yet"
            raise ValueError(message)
        return self.machine


def _resources(asked: plans.Resources) -> Resources:
    return Resources(cpu=asked.cpu, memory=asked.memory, disk=asked.disk)


def _service(rendered: RenderedService) -> Service:
    return Service(
        name=rendered.name,
        image=rendered.image,
        command=rendered.command,
        environment=rendered.env,
        ready=rendered.ready,
        resources=_resources(rendered.resources),
    )


def _with_warnings(known: tuple[str, ...], heard: Sequence[Stimulus]) -> tuple[str, ...]:
    """Return a run's warnings with those of the steps that have just ended, each once."""
    fresh = [f"{s.step}: {text}" for s in heard if isinstance(s, StepEnded) for text in s.warnings]
    return tuple(dict.fromkeys((*known, *fresh)))[:_WARNINGS]


def ended_early(live: LiveRun, status: RunStatus, reason: str, at: float) -> Writing:
    """End a run that never got a plan; return what is to be written."""
    live.run = replace(live.run, status=status, reason=reason, ended_at=at)
    live.sequence += 1
    record = JournalRecord(
        sequence=live.sequence, at=at, kind=ENDED_EARLY, payload={"reason": reason}
    )
    return Writing(run=live.run, records=(record,), report=live.report(at), begun=True)


def begun_again(live: LiveRun, at: float) -> Writing:
    """Put a run that ended without a plan back to where it was queued."""
    live.begun_again += 1
    live.run = replace(
        live.run, status=RunStatus.QUEUED, reason="", ended_at=None, attempt=live.run.attempt + 1
    )
    live.sequence += 1
    record = JournalRecord(sequence=live.sequence, at=at, kind=BEGUN_AGAIN, payload={})
    return Writing(run=live.run, records=(record,), report=live.report(at))
