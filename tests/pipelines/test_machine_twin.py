"""Machines under random fire: always valid, always the same again, and agreed with by a twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipelines.machine import Machine, Stop
from pipelines.progress import StepProgress
from pipelines.states import Cause, Outcome
from pipelines.stimuli import RerunAsked, RerunMode, StepEnded, Stimulus
from tests.pipelines.driving import Driver, picture, through_json
from tests.pipelines.sketches import Ended, Sketch, Twin, endings, plan_from, sketches


class RandomRun(RuleBasedStateMachine):
    """A run of a random pipeline to which random things happen."""

    run: Driver
    settled: dict[str, tuple[Any, ...]]

    @initialize(steps=sketches(retries=True), fail_fast=st.booleans())
    def plan(self, steps: tuple[Sketch, ...], *, fail_fast: bool) -> None:
        self.run = Driver(plan_from(steps, fail_fast=fail_fast))
        self.settled = {}

    @property
    def machine(self) -> Machine:
        return self.run.machine

    def _wanted(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.machine.wanted())))

    @rule()
    def begin(self) -> None:
        self.run.begin()

    @precondition(lambda self: self.machine.wanted())
    @rule(data=st.data(), message=st.sampled_from(["", "no room"]))
    def wait(self, data: st.DataObject, message: str) -> None:
        self.run.wait(self._wanted(data), message)

    @precondition(lambda self: self.machine.wanted())
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.run.start(self._wanted(data))

    @precondition(lambda self: self.machine.wanted())
    @rule(
        data=st.data(),
        outcome=st.sampled_from(Outcome),
        cause=st.sampled_from([Cause.NONE, Cause.TIMEOUT, Cause.IMAGE, Cause.EXIT_CODE]),
        exit_code=st.sampled_from([None, 1, 75]),
        ran=st.booleans(),
        snapshot=st.sampled_from([None, "one", "two"]),
        output=st.sampled_from([None, "1", "2"]),
    )
    def end(
        self,
        data: st.DataObject,
        outcome: Outcome,
        cause: Cause,
        output: str | None,
        **rest: Any,
    ) -> None:
        outputs = {} if output is None else {"v": output}
        self.run.end(self._wanted(data), outcome, cause, outputs=outputs, **rest)

    @rule(seconds=st.sampled_from([0.0, 1.0, 60.0, 10_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.run.pass_time(self.run.now + seconds)

    @rule(by=st.sampled_from(["", "ada"]))
    def cancel(self, by: str) -> None:
        self.run.cancel(by)

    @precondition(lambda self: self.machine.ended_at is not None)
    @rule(data=st.data(), mode=st.sampled_from(RerunMode))
    def rerun(self, data: st.DataObject, mode: RerunMode) -> None:
        step = data.draw(st.sampled_from(sorted(self.machine.steps)))
        if self.machine.refusal_of_rerun(mode, step) is None:
            self.settled = {}
            self.run.rerun(mode, step)

    @precondition(lambda self: self.run.told)
    @rule(data=st.data())
    def hear_it_again(self, data: st.DataObject) -> None:
        told = data.draw(st.sampled_from(self.run.told))
        if not isinstance(told, RerunAsked):
            self.run.tell(told)

    @invariant()
    def reasons_stay(self) -> None:
        """What has ended, and each attempt that has, stays as it is until a rerun."""
        if not hasattr(self, "run"):
            return
        for name, step in self.machine.steps.items():
            if step.state.terminal:
                assert self.settled.setdefault(name, _frozen(step)) == _frozen(step)

    def teardown(self) -> None:
        if not hasattr(self, "run"):
            return
        self._comes_to_an_end()
        self._comes_out_the_same_again()

    def _comes_to_an_end(self) -> None:
        """Whatever happened, a run ends when its attempts do."""
        self.run.begin()
        for _ in range(10 * len(self.machine.steps)):
            for name, want in list(self.machine.wanted().items()):
                stop = isinstance(want, Stop)
                self.run.end(name, Outcome.CANCELLED if stop else Outcome.SUCCESS)
            if not self.machine.wanted() and self.machine.next_timer() is not None:
                self.run.pass_time()
        assert self.machine.ended_at is not None
        assert self.machine.status.terminal

    def _comes_out_the_same_again(self) -> None:
        """The journal, as JSON, gives an equal machine; so does what was news in it."""
        told = [through_json(stimulus) for stimulus in self.run.told]
        assert told == self.run.told
        everything = picture(self.machine)
        assert picture(_replayed(self.machine, told)) == everything
        assert picture(_replayed(self.machine, _news(self.machine, told))) == everything


def _frozen(step: StepProgress) -> tuple[Any, ...]:
    ends = tuple((a.number, a.outcome, a.cause, a.message, a.ended_at) for a in step.attempts)
    return (step.state, step.reason, step.culprit, step.ended_at, ends)


def _replayed(machine: Machine, told: list[Stimulus]) -> Machine:
    again = Machine(machine.plan)
    for stimulus in told:
        again.handle(stimulus)
    return again


def _news(machine: Machine, told: list[Stimulus]) -> list[Stimulus]:
    """Return what changed anything when it was told, which is all that the journal needs."""
    again = Machine(machine.plan)
    heard = []
    for stimulus in told:
        before = (again.status, again.cancelled_by, again.round)
        if again.handle(stimulus) or before != (again.status, again.cancelled_by, again.round):
            heard.append(stimulus)
    return heard


def test_random_runs() -> None:
    run_state_machine_as_test(
        RandomRun, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )


def _drive(data: st.DataObject, run: Driver, ends: Mapping[str, Ended]) -> None:
    """Let a run come to its end, its steps ending in any order."""
    while run.machine.wanted():
        name = data.draw(st.sampled_from(sorted(run.machine.wanted())))
        if data.draw(st.booleans()):
            run.start(name)
        end = ends[name]
        run.end(name, end.outcome, outputs={} if end.output is None else {"v": end.output})
    assert run.machine.ended_at is not None


def _agree(run: Driver, twin: Twin) -> None:
    assert run.states == twin.states()
    assert run.status() == twin.status()
    assert {name: run[name].culprit for name in run.states} == {
        name: twin.culprit(name) for name in run.states
    }


@given(steps=sketches(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_twin_agrees_on_every_end(steps: tuple[Sketch, ...], data: st.DataObject) -> None:
    names = [step.name for step in steps]
    ends = data.draw(endings(names))
    run = Driver(plan_from(steps)).begin()
    _drive(data, run, ends)
    first = Twin(steps, ends)
    _agree(run, first)
    if run.machine.refusal_of_rerun(RerunMode.FAILED) is None:
        again = first.again()
        run.rerun(RerunMode.FAILED)
        later = {**ends, **{n: e for n, e in data.draw(endings(names)).items() if n in again}}
        _drive(data, run, later)
        kept = {name: state for name, state in first.states().items() if name not in again}
        _agree(run, Twin(steps, later, kept))


@given(steps=sketches(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_the_order_in_which_steps_end_changes_no_outcome(
    steps: tuple[Sketch, ...], data: st.DataObject
) -> None:
    ends = data.draw(endings([step.name for step in steps]))
    runs = [Driver(plan_from(steps)).begin() for _ in range(2)]
    for run in runs:
        _drive(data, run, ends)
    assert runs[0].states == runs[1].states
    assert runs[0].status() == runs[1].status()


def test_the_twin_can_disagree() -> None:
    steps = (Sketch("s0", final=False, needs=()), Sketch("s1", final=False, needs=("s0",)))
    run = Driver(plan_from(steps)).begin()
    run.fail("s0")
    wrong = Twin(steps, dict.fromkeys(("s0", "s1"), Ended(Outcome.SUCCESS, None)))
    assert run.states != wrong.states()


def test_a_told_end_survives_json() -> None:
    end = StepEnded(at=1, step="a", attempt=1, outcome=Outcome.SUCCESS, artifacts=({"size": 1},))
    assert through_json(end) == end
