"""The state machine of a run: told what happened, it knows what should be running now.

A pure fold over stimuli: no I/O, no clock (time arrives inside stimuli), the same stimuli in the
same order always give the same state. `handle` takes one stimulus, `wanted` says which attempts
should be running or ending; making the world agree is the engine's.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from pipelines import invariants
from pipelines.conditions import Block, Broken, Run, Skip, judge
from pipelines.durations import format_duration
from pipelines.errors import IllegalTransition
from pipelines.plan import Plan, RetryOn, RetryPolicy, StepKind
from pipelines.progress import Attempt, StepProgress, StopReason
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

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {State.QUEUED, State.SKIPPED, State.BLOCKED, State.CANCELLED, State.ERROR}
    ),
    State.QUEUED: frozenset(
        {
            State.RUNNING,
            State.RETRYING,
            State.SUCCESS,
            State.FAILURE,
            State.ERROR,
            State.CANCELLED,
        }
    ),
    State.RUNNING: frozenset(
        {State.RETRYING, State.SUCCESS, State.FAILURE, State.ERROR, State.CANCELLED}
    ),
    State.RETRYING: frozenset({State.QUEUED, State.CANCELLED}),
    # What has ended changes only when the run is run again.
    State.SUCCESS: frozenset({State.PENDING}),
    State.FAILURE: frozenset({State.PENDING}),
    State.ERROR: frozenset({State.PENDING}),
    State.CANCELLED: frozenset({State.PENDING}),
    State.SKIPPED: frozenset({State.PENDING}),
    State.BLOCKED: frozenset({State.PENDING}),
}
"""Every change of state that can be; anything else is an IllegalTransition."""

OVERDUE = 60.0
"""Seconds after its timeout and grace that an attempt may still be heard of before it is stopped
from outside: the agent keeps the time itself, this is for agents that cannot."""

AGAIN = RetryPolicy(limit=2, on=frozenset({RetryOn.ERROR}), backoff=5.0)
"""What holds without `retry:` for an attempt that never ran, through no fault of the pipeline."""

_HOPELESS = frozenset({Cause.CONFIG, Cause.EXPRESSION, Cause.IMAGE, Cause.WAITING})

_STORY = 12


@dataclass(frozen=True)
class Start:
    """An attempt should be running."""

    step: str
    attempt: int


@dataclass(frozen=True)
class Stop:
    """An attempt should come to its end."""

    step: str
    attempt: int
    reason: StopReason


Want: TypeAlias = Start | Stop


class Machine:
    """One run: its plan, how every step stands, and what should happen next."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps: dict[str, StepProgress] = {
            name: StepProgress(planned=step, unmet=len(set(step.needs)))
            for name, step in plan.steps.items()
        }
        self.source: str | None = None
        self.round = 1
        self.cancelled_by: str | None = None
        self.began_at: float | None = None
        self.round_began_at: float | None = None
        self.ended_at: float | None = None
        self._open = len(plan.steps)
        self._open_normal = len(plan.normal)
        self._wants: dict[str, Want] = {}
        self._timers: list[tuple[float, str, int, State]] = []
        self._settled: deque[str] = deque()
        self._changed: set[str] = set()
        self._story: dict[str, deque[str]] = {}

    # What is true now

    @property
    def status(self) -> RunStatus:
        """How the run stands."""
        if self.began_at is None:
            return RunStatus.QUEUED
        if self._open:
            return RunStatus.RUNNING
        return self._verdict(self.steps)

    @property
    def status_before_finally(self) -> RunStatus:
        """The status that the run has without its `finally` steps; running while others run."""
        return RunStatus.RUNNING if self._open_normal else self._verdict(self.plan.normal)

    def wanted(self) -> Mapping[str, Want]:
        """Return, by step, which attempts should be running and which should be ending."""
        return self._wants

    def next_timer(self) -> float | None:
        """Return the time at which a `TimePassed` may change something; None if never."""
        while self._timers and not self._timer_holds(*self._timers[0][1:]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def inputs(self, step: str) -> tuple[tuple[str, str], ...]:
        """Return the snapshots a step begins with, as (whose, digest), in the order they merge.

        A need that left no snapshot (skipped, blocked, lost) hands on what it would have begun
        with. No need, or none that left anything: the source. A `finally` step that needs no other
        begins with what all the others left.
        """
        found: dict[str, str] = {}
        seen: set[str] = set()
        # Backwards, because of what comes twice the last place counts.
        todo = list(self.plan.begins_with(step))
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            attempt = self.steps[name].attempt
            if attempt is not None and attempt.snapshot is not None:
                found.setdefault(attempt.snapshot, name)
            else:
                todo.extend(self.plan.begins_with(name))
        if not found and self.source is not None:
            return (("source", self.source),)
        return tuple((name, digest) for digest, name in reversed(found.items()))

    def refusal_of_rerun(self, mode: RerunMode, step: str = "") -> str | None:
        """Return why the run cannot be run again so (from a step); None if it can."""
        if self.ended_at is None:
            return "the run has not ended"
        if mode is RerunMode.FAILED and not self._failed():
            return "no step failed"
        if mode is RerunMode.FROM and not self._members(step):
            return f"there is no step `{step}`"
        return None

    def story(self, step: str) -> tuple[str, ...]:
        """Return the last things that happened to a step, oldest first."""
        return tuple(self._story.get(step, ()))

    def validate(self) -> None:
        """Check what must hold at all times; raises AssertionError that names what does not."""
        if broken := invariants.violations(self):
            raise AssertionError("\n".join(broken))

    # What happens

    def handle(self, stimulus: Stimulus) -> frozenset[str]:
        """Take one stimulus; return the names of the steps it changed.

        What was told before, or of an attempt that is over, changes nothing. Raises
        IllegalTransition for what cannot be.
        """
        self._changed = set()
        match stimulus:
            case Began():
                self._begin(stimulus)
            case StepWaiting():
                self._waiting(stimulus)
            case StepStarted():
                self._started(stimulus)
            case StepEnded():
                self._ended(stimulus)
            case CancelAsked():
                self._cancel(stimulus)
            case RerunAsked():
                self._rerun(stimulus)
            case TimePassed():
                self._time(stimulus.at)
            case _:
                assert_never(stimulus)
        self._settle(stimulus.at)
        return frozenset(self._changed)

    def _begin(self, began: Began) -> None:
        if self.began_at is not None:
            return
        self.began_at = self.round_began_at = began.at
        self.source = began.source
        if self.cancelled_by is not None:
            self._stop_all(self.plan.normal, StopReason.CANCEL, self._cancelled(), began.at)
        self._decide(self.plan.steps, began.at)

    def _waiting(self, told: StepWaiting) -> None:
        attempt = self._current(told.step, told.attempt)
        step = self.steps[told.step]
        if attempt is None or step.state is not State.QUEUED:
            return
        if attempt.waiting_since is None:
            attempt.waiting_since = told.at
            self._timer(told.at + step.planned.waiting_timeout, told.step)
        elif attempt.waiting_for == told.message:
            return
        attempt.waiting_for = told.message
        self._changed.add(told.step)
        self._note(told.step, f"waiting: {told.message}", told.at)

    def _started(self, told: StepStarted) -> None:
        attempt = self._current(told.step, told.attempt)
        step = self.steps[told.step]
        if attempt is None or step.state is not State.QUEUED:
            return
        attempt.started_at = told.at
        self._move(told.step, State.RUNNING, told.at, reason=step.reason)
        limit = step.planned.timeout + step.planned.grace + OVERDUE
        self._timer(told.at + limit, told.step)

    def _ended(self, told: StepEnded) -> None:
        attempt = self._current(told.step, told.attempt)
        if attempt is None:
            return
        step = self.steps[told.step]
        outcome = _close(attempt, told, step)
        if (delay := self._retry_delay(step, attempt, told)) is None:
            self._move(told.step, State(outcome), told.at, reason=attempt.message)
            return
        step.retries += 1
        self._move(told.step, State.RETRYING, told.at, reason=attempt.message)
        step.retry_at = told.at + delay
        self._timer(step.retry_at, told.step)

    def _cancel(self, asked: CancelAsked) -> None:
        if not self._open:
            return
        self.cancelled_by = asked.by
        if self.began_at is None:
            return
        names = self.plan.normal if self._open_normal else self.plan.final
        self._stop_all(names, StopReason.CANCEL, self._cancelled(), asked.at)

    def _cancelled(self) -> str:
        return f"cancelled by {self.cancelled_by}" if self.cancelled_by else "cancelled"

    def _rerun(self, asked: RerunAsked) -> None:
        if refusal := self.refusal_of_rerun(asked.mode, asked.step):
            raise IllegalTransition("the run", self.status, "rerun", (refusal,))
        again = self._again(asked)
        self.round += 1
        self.round_began_at = asked.at
        self.cancelled_by = None
        self.ended_at = None
        self._open = len(again)
        self._open_normal = sum(
            1 for name in again if self.plan.steps[name].kind is StepKind.NORMAL
        )
        for name in again:
            self._reset(name, again, asked.at)
        self._decide(again, asked.at)

    def _time(self, at: float) -> None:
        while self._timers and self._timers[0][0] <= at:
            _, name, number, state = heapq.heappop(self._timers)
            if self._timer_holds(name, number, state):
                self._due(name, at)

    def _due(self, name: str, at: float) -> None:
        step = self.steps[name]
        match step.state:
            case State.RETRYING:
                self._queue(name, at)
            case State.QUEUED:
                self._ask_to_stop(name, StopReason.WAITING, at)
            case _:
                self._ask_to_stop(name, StopReason.TIMEOUT, at)

    # How one thing leads to the next

    def _decide(self, names: Iterable[str], at: float) -> None:
        """Judge those of the steps whose turn has come."""
        for name in names:
            step = self.steps[name]
            gated = step.planned.kind is StepKind.FINALLY and self._open_normal
            if step.state is State.PENDING and not step.unmet and not gated:
                self._judge(name, at)

    def _judge(self, name: str, at: float) -> None:
        step = self.steps[name]
        verdict = judge(self.plan, step, self.steps, self.status_before_finally)
        match verdict:
            case Run():
                step.rendered = verdict.rendered
                self._queue(name, at)
            case Skip():
                self._move(name, State.SKIPPED, at, reason=verdict.reason)
            case Block():
                step.culprit = verdict.culprit
                self._move(name, State.BLOCKED, at, reason=verdict.reason)
            case Broken():
                self._move(name, State.ERROR, at, reason=verdict.reason)
            case _:
                assert_never(verdict)

    def _queue(self, name: str, at: float) -> None:
        step = self.steps[name]
        step.attempts.append(Attempt(number=len(step.attempts) + 1, asked_at=at))
        self._move(name, State.QUEUED, at)

    def _settle(self, at: float) -> None:
        """Let what has ended reach those who wait for it, until nothing moves any more."""
        while self._settled:
            name = self._settled.popleft()
            step = self.steps[name]
            self._open -= 1
            if step.planned.kind is StepKind.NORMAL:
                self._open_normal -= 1
            dependents = self.plan.graph.dependents[name]
            for dependent in dependents:
                self.steps[dependent].unmet -= 1
            if self._fails_fast(step):
                reason = f"fail_fast: `{name}` failed"
                self._stop_all(self.plan.normal, StopReason.FAIL_FAST, reason, at)
            self._decide(dependents, at)
            if not self._open_normal and step.planned.kind is StepKind.NORMAL:
                self._decide(self.plan.final, at)
        if not self._open and self.ended_at is None and self.began_at is not None:
            self.ended_at = at

    def _fails_fast(self, step: StepProgress) -> bool:
        failed = step.state in (State.FAILURE, State.ERROR) and not step.forgiven
        return self.plan.fail_fast and failed and step.planned.kind is StepKind.NORMAL

    def _stop_all(self, names: Iterable[str], why: StopReason, reason: str, at: float) -> None:
        """End what has not started, and ask what may be running to end."""
        for name in names:
            step = self.steps[name]
            if step.state in (State.PENDING, State.RETRYING):
                self._move(name, State.CANCELLED, at, reason=reason)
            elif not step.state.terminal:
                self._ask_to_stop(name, why, at, reason)

    def _ask_to_stop(self, name: str, why: StopReason, at: float, reason: str = "") -> None:
        step = self.steps[name]
        if step.stop is None or (why is StopReason.CANCEL and step.stop is not why):
            step.stop = why
            step.reason = reason
            self._note(name, f"stop wanted: {why}", at)
            self._refresh(name)

    def _again(self, asked: RerunAsked) -> dict[str, None]:
        """Return the steps that run again, in file order."""
        match asked.mode:
            case RerunMode.ALL:
                first = tuple(self.plan.steps)
            case RerunMode.FAILED:
                first = self._failed()
            case RerunMode.FROM:
                first = self._members(asked.step)
            case _:
                assert_never(asked.mode)
        chosen = {*first, *self.plan.graph.after(first), *self.plan.final}
        return {name: None for name in self.plan.steps if name in chosen}

    def _failed(self) -> tuple[str, ...]:
        return tuple(name for name, step in self.steps.items() if step.spoiled or step.forgiven)

    def _members(self, step: str) -> tuple[str, ...]:
        """Return the steps that a name means: one of the plan, or all that one of the file became."""
        return (step,) if step in self.steps else self.plan.groups.get(step, ())

    def _reset(self, name: str, again: Mapping[str, None], at: float) -> None:
        step = self.steps[name]
        self._move(name, State.PENDING, at)
        step.unmet = sum(1 for need in set(step.planned.needs) if need in again)
        step.earlier = len(step.attempts)
        step.culprit = None
        step.tainted = False
        step.retries = 0
        step.rendered = None
        step.ended_at = None

    def _retry_delay(self, step: StepProgress, attempt: Attempt, told: StepEnded) -> float | None:
        """Return after how many seconds an ended attempt is tried again; None if it is not."""
        match attempt.outcome:
            case Outcome.ERROR:
                end = RetryOn.ERROR
            case Outcome.FAILURE:
                end = RetryOn.TIMEOUT if attempt.cause is Cause.TIMEOUT else RetryOn.FAILURE
            case _:
                return None
        policy = step.planned.retry
        blameless = end is RetryOn.ERROR and not told.ran and attempt.cause not in _HOPELESS
        if blameless and step.retries < AGAIN.limit:
            return AGAIN.delay(step.retries)
        if policy.covers(end, attempt.exit_code) and step.retries < policy.limit:
            return policy.delay(step.retries)
        return None

    # The books

    def _move(self, name: str, state: State, at: float, *, reason: str = "") -> None:
        step = self.steps[name]
        if state not in TRANSITIONS[step.state]:
            raise IllegalTransition(name, step.state, state, self.story(name))
        self._note(name, f"{step.state} -> {state}{': ' + reason if reason else ''}", at)
        step.state = state
        step.reason = reason
        step.retry_at = None
        step.stop = step.stop if state is State.RUNNING else None
        if state.terminal:
            step.ended_at = at
            step.tainted = step.spoiled or self._tainted_before(step)
            self._settled.append(name)
        self._refresh(name)

    def _tainted_before(self, step: StepProgress) -> bool:
        return any(self.steps[need].tainted for need in step.planned.needs)

    def _refresh(self, name: str) -> None:
        """Bring what is wanted of a step in line with its state."""
        self._changed.add(name)
        step = self.steps[name]
        attempt = step.attempt
        if attempt is None or step.state not in (State.QUEUED, State.RUNNING):
            self._wants.pop(name, None)
        elif step.stop is not None:
            self._wants[name] = Stop(name, attempt.number, step.stop)
        else:
            self._wants[name] = Start(name, attempt.number)

    def _current(self, name: str, number: int) -> Attempt | None:
        """Return the attempt that is being told of; None if it is over and done with."""
        step = self.steps.get(name)
        if step is None:
            raise IllegalTransition(name, "no step of the plan", f"attempt {number}", ())
        if number > len(step.attempts):
            raise IllegalTransition(name, step.state, f"attempt {number}", self.story(name))
        attempt = step.attempt
        if attempt is None or number != attempt.number or attempt.outcome is not None:
            return None
        return attempt

    def _timer(self, at: float, name: str) -> None:
        """Have a look at a step at a time, if its state and attempt are still the same then."""
        step = self.steps[name]
        heapq.heappush(self._timers, (at, name, len(step.attempts), step.state))

    def _timer_holds(self, name: str, number: int, state: State) -> bool:
        step = self.steps[name]
        return step.state is state and len(step.attempts) == number and step.stop is None

    def _note(self, name: str, what: str, at: float) -> None:
        self._story.setdefault(name, deque(maxlen=_STORY)).append(f"{at:.3f} {what}")

    def _verdict(self, names: Iterable[str]) -> RunStatus:
        steps = [self.steps[name] for name in names]
        spoiled = {step.state for step in steps if step.spoiled}
        for state in (State.FAILURE, State.ERROR, State.CANCELLED):
            if state in spoiled:
                return RunStatus(state)
        forgiven = any(step.forgiven for step in steps)
        return RunStatus.WARNING if forgiven else RunStatus.SUCCESS


def _close(attempt: Attempt, told: StepEnded, step: StepProgress) -> Outcome:
    """Write down how an attempt ended and return its outcome.

    What it was stopped for outranks what it says of itself, unless it succeeded all the same.
    """
    attempt.ended_at = told.at
    attempt.started_at = told.started_at if told.started_at is not None else attempt.started_at
    attempt.outcome = told.outcome
    attempt.cause, attempt.message = told.cause, told.message
    attempt.exit_code = told.exit_code
    attempt.snapshot = told.snapshot
    attempt.outputs = told.outputs
    attempt.artifacts = told.artifacts
    attempt.warnings = told.warnings
    if told.outcome is Outcome.SUCCESS:
        return told.outcome
    match step.stop:
        case StopReason.TIMEOUT:
            attempt.outcome, attempt.cause = Outcome.FAILURE, Cause.TIMEOUT
            attempt.message = f"ran longer than {format_duration(step.planned.timeout)}"
        case StopReason.WAITING:
            attempt.outcome, attempt.cause = Outcome.ERROR, Cause.WAITING
            waited = format_duration(step.planned.waiting_timeout)
            attempt.message = f"waited longer than {waited}: {attempt.waiting_for}"
        case StopReason.CANCEL | StopReason.FAIL_FAST:
            attempt.outcome, attempt.cause = Outcome.CANCELLED, Cause.CANCELLED
            attempt.message = step.reason
        case None:
            pass
        case _:
            assert_never(step.stop)
    return attempt.outcome
