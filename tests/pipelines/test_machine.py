"""How the machine takes what it is told: once, in any order, and never what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.errors import IllegalTransition
from pipelines.machine import TRANSITIONS, Machine, Start, Stop
from pipelines.plan import Plan, PlannedStep, StepKind
from pipelines.progress import StopReason
from pipelines.states import TERMINAL, Outcome, RunStatus, State
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
from tests.pipelines.conftest import MakeMachine
from tests.pipelines.driving import PUSH, Driver, picture

TWO = "steps: {a: {run: x}, b: {run: x, needs: a}}"


class TestTransitions:
    """The table of what may follow what."""

    def test_every_state_has_a_row_and_can_be_reached(self) -> None:
        assert set(TRANSITIONS) == set(State)
        assert set().union(*TRANSITIONS.values()) == set(State)

    def test_what_has_ended_can_only_begin_anew(self) -> None:
        assert {state for state, after in TRANSITIONS.items() if after == {State.PENDING}} == set(
            TERMINAL
        )
        assert all(State.PENDING not in TRANSITIONS[state] for state in set(State) - TERMINAL)

    @pytest.mark.parametrize(
        "state", [state for state in State if State.SUCCESS not in TRANSITIONS[state]]
    )
    def test_anything_else_is_refused_with_the_story(self, state: State) -> None:
        run = Driver(machine_plan()).begin()
        run.wait("a", "a node is made")
        run["a"].state = state
        with pytest.raises(IllegalTransition) as refused:
            run.succeed("a")
        assert (refused.value.step, refused.value.start, refused.value.finish) == (
            "a",
            state,
            "success",
        )
        assert refused.value.story == (
            "1000.000 pending -> queued",
            "1001.000 waiting: a node is made",
        )
        assert str(refused.value).startswith(
            f"a: {state} -> success is no transition. The story:\n"
        )


def machine_plan() -> Plan:
    return chain(["a"])


def chain(names: list[str]) -> Plan:
    """Return a plan in which each step needs the one before."""
    return layers([[name] for name in names])


def layers(rows: list[list[str]]) -> Plan:
    """Return a plan in which each step needs all of the row before."""
    steps = {}
    before: list[str] = []
    for row in rows:
        for name in row:
            steps[name] = PlannedStep(
                name=name,
                group=name,
                kind=StepKind.NORMAL,
                script="x",
                shell=("sh",),
                needs=tuple(before),
            )
        before = row
    return Plan(event=PUSH, steps=steps)


class TestWhatWasToldBefore:
    """Stale and repeated stimuli change nothing; what cannot be is refused."""

    @pytest.mark.parametrize(
        "again",
        [
            Began(at=2000, source="another"),
            StepStarted(at=2000, step="a", attempt=1),
            StepStarted(at=2000, step="a", attempt=0),
            StepWaiting(at=2000, step="a", attempt=1, message="late"),
            StepEnded(at=2000, step="a", attempt=1, outcome=Outcome.FAILURE),
            TimePassed(at=2000),
        ],
        ids=["began", "started", "number zero", "waiting", "ended", "time"],
    )
    def test_of_an_attempt_that_is_over(self, machine: MakeMachine, again: Stimulus) -> None:
        run = machine(TWO).begin()
        run.start("a")
        run.succeed("a")
        before = picture(run.machine)
        assert run.tell(again) == frozenset()
        assert picture(run.machine) == before

    def test_a_start_told_twice_keeps_the_first_time(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        run.start("a", "a")
        assert run["a"].attempts[0].started_at == 1001

    def test_the_same_waiting_told_twice_is_no_news(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        assert run.wait("a", "no room") == {"a"}
        assert run.wait("a", "no room") == frozenset()
        assert run.wait("a", "image is pulled") == {"a"}
        assert run["a"].attempts[0].waiting_for == "image is pulled"

    def test_an_attempt_of_an_earlier_round_is_over(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        run.fail("a")
        run.rerun()
        late = StepEnded(at=2000, step="a", attempt=1, outcome=Outcome.SUCCESS)
        assert run.tell(late) == frozenset()
        assert run.wants == {"a": "start#2"}

    def test_an_attempt_before_a_retry_is_over(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {on: failure}}}").begin()
        run.fail("a")
        run.end("a", Outcome.SUCCESS, attempt=1)
        assert run.of("a") == (State.RETRYING,)
        run.pass_time()
        run.end("a", Outcome.SUCCESS, attempt=1)
        assert run.wants == {"a": "start#2"}

    @pytest.mark.parametrize(
        "told",
        [
            lambda step, attempt: StepWaiting(at=1, step=step, attempt=attempt),
            lambda step, attempt: StepStarted(at=1, step=step, attempt=attempt),
            lambda step, attempt: StepEnded(
                at=1, step=step, attempt=attempt, outcome=Outcome.SUCCESS
            ),
        ],
        ids=["waiting", "started", "ended"],
    )
    @pytest.mark.parametrize(
        ("step", "attempt", "message"),
        [
            ("a", 2, "a: queued -> attempt 2 is no transition"),
            ("b", 1, "b: pending -> attempt 1 is no transition"),
            ("ghost", 1, "ghost: no step of the plan -> attempt 1 is no transition"),
        ],
    )
    def test_what_was_never_asked_for_cannot_be(
        self,
        machine: MakeMachine,
        told: Callable[[str, int], Stimulus],
        step: str,
        attempt: int,
        message: str,
    ) -> None:
        run = machine(TWO).begin()
        before = picture(run.machine)
        with pytest.raises(IllegalTransition, match=f"^{message}"):
            run.tell(told(step, attempt))
        assert picture(run.machine) == before

    def test_nor_can_a_rerun_of_what_has_not_ended(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        with pytest.raises(
            IllegalTransition, match=r"the run: running -> rerun.*\n.*has not ended"
        ):
            run.rerun()
        assert run.machine.round == 1


class TestWhatIsShown:
    """Changes, wants, times and stories."""

    def test_handle_names_the_steps_it_changed(self, machine: MakeMachine) -> None:
        run = machine(TWO)
        assert run.tell(Began(at=1, source="source")) == {"a"}
        assert run.tell(StepStarted(at=2, step="a", attempt=1)) == {"a"}
        ended = StepEnded(at=3, step="a", attempt=1, outcome=Outcome.SUCCESS)
        assert run.tell(ended) == {"a", "b"}
        assert run.tell(CancelAsked(at=4)) == {"b"}

    def test_wants_follow_the_state(self, machine: MakeMachine) -> None:
        run = machine(TWO)
        assert run.machine.wanted() == {}
        run.begin()
        assert run.machine.wanted() == {"a": Start("a", 1)}
        run.start("a")
        assert run.machine.wanted() == {"a": Start("a", 1)}
        run.cancel()
        assert run.machine.wanted() == {"a": Stop("a", 1, StopReason.CANCEL)}
        run.stopped("a")
        assert run.machine.wanted() == {}

    def test_times_of_the_run_and_its_rounds(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x}}")
        assert (run.machine.began_at, run.machine.ended_at) == (None, None)
        run.begin()
        run.succeed("a")
        assert (run.machine.began_at, run.machine.ended_at) == (1000, 1001)
        run.rerun()
        assert (run.machine.began_at, run.machine.round_began_at) == (1000, 1002)
        assert run.machine.ended_at is None
        run.succeed("a")
        assert run.machine.ended_at == 1003

    def test_an_end_may_tell_when_the_start_was(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        run.start("a")
        run.end("a", started_at=1000.5, artifacts=({"path": "p"},), warnings=("w",))
        attempt = run["a"].attempts[0]
        assert (attempt.started_at, attempt.artifacts, attempt.warnings) == (
            1000.5,
            ({"path": "p"},),
            ("w",),
        )

    def test_a_story_tells_the_last_dozen_things(self, machine: MakeMachine) -> None:
        run = machine(TWO).begin()
        for number in range(20):
            run.wait("a", f"place {number} in the queue")
        assert len(run.machine.story("a")) == 12
        assert run.machine.story("a")[-1].endswith("waiting: place 19 in the queue")
        assert run.machine.story("b") == ()

    def test_a_plan_without_steps_has_ended_when_it_begins(self) -> None:
        run = Driver(Plan(event=PUSH, steps={}))
        assert run.machine.refusal_of_rerun(RerunMode.ALL) == "the run has not ended"
        run.begin()
        assert (run.machine.status, run.machine.ended_at) == (RunStatus.SUCCESS, 1000)
        run.rerun()
        assert run.machine.ended_at == 1001


class TestInputs:
    """The snapshots that a step begins with, in the order in which they merge."""

    FAN_IN = """
steps:
  a: {run: x}
  b: {run: x}
  c: {run: x}
  all: {run: x, needs: [c, a, b]}
"""

    def test_without_needs_the_source(self, machine: MakeMachine) -> None:
        run = machine(self.FAN_IN)
        assert run.machine.inputs("a") == ()
        run.begin()
        assert run.machine.inputs("a") == (("source", "source"),)

    def test_a_fan_in_merges_in_the_order_of_needs(self, machine: MakeMachine) -> None:
        run = machine(self.FAN_IN).begin()
        run.succeed("a", "b", "c")
        assert run.machine.inputs("all") == (("c", "of c#1"), ("a", "of a#1"), ("b", "of b#1"))

    def test_equal_snapshots_count_once_at_the_last_place(self, machine: MakeMachine) -> None:
        run = machine(self.FAN_IN).begin()
        run.end("c", snapshot="same")
        run.end("a", snapshot="other")
        run.end("b", snapshot="same")
        assert run.machine.inputs("all") == (("a", "other"), ("b", "same"))

    def test_what_was_skipped_hands_on_what_it_would_have_begun_with(
        self, machine: MakeMachine
    ) -> None:
        run = machine("""
steps:
  a: {run: x}
  b: {run: x}
  s: {run: x, needs: [a, b], when: 'false'}
  s2: {run: x, needs: s, when: 'false'}
  all: {run: x, needs: s2}
""").begin()
        run.succeed("a", "b")
        assert run.machine.inputs("all") == (("a", "of a#1"), ("b", "of b#1"))

    def test_what_comes_twice_through_skips_counts_at_the_last_place(
        self, machine: MakeMachine
    ) -> None:
        run = machine("""
steps:
  a: {run: x}
  b: {run: x}
  s: {run: x, needs: a, when: 'false'}
  s2: {run: x, needs: a, when: 'false'}
  all: {run: x, needs: [s, b, s2]}
""").begin()
        run.succeed("a", "b")
        assert run.machine.inputs("all") == (("b", "of b#1"), ("a", "of a#1"))

    def test_what_left_nothing_hands_on_too(self, machine: MakeMachine) -> None:
        run = machine("""
steps: {a: {run: x}, b: {run: x, needs: a}, c: {run: x, needs: b, when: always()}}
""").begin()
        run.succeed("a")
        run.err("b")
        assert run.machine.inputs("c") == (("a", "of a#1"),)

    def test_a_failed_step_hands_on_what_it_left(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x}, b: {run: x, needs: a, when: always()}}").begin()
        run.end("a", Outcome.FAILURE, snapshot="half done")
        assert run.machine.inputs("b") == (("a", "half done"),)

    def test_the_last_try_counts(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {on: failure}}, b: {run: x, needs: a}}").begin()
        run.end("a", Outcome.FAILURE, snapshot="first")
        run.pass_time()
        run.end("a", snapshot="second")
        assert run.machine.inputs("b") == (("a", "second"),)

    def test_finally_begins_with_all_that_the_graph_left(self, machine: MakeMachine) -> None:
        run = machine("""
steps: {a: {run: x}, b: {run: x, needs: a}, c: {run: x, needs: a}}
finally:
  f: {run: x}
  s: {run: x, when: 'false'}
  after: {run: x, needs: f}
  after_skip: {run: x, needs: s}
""").begin()
        run.succeed("a", "b", "c")
        whole = (("b", "of b#1"), ("c", "of c#1"))
        assert run.machine.inputs("f") == whole
        assert run.machine.inputs("after_skip") == whole
        run.succeed("f")
        assert run.machine.inputs("after") == (("f", "of f#1"),)


class TestScale:
    """Large graphs take work in proportion, and no recursion."""

    def test_each_step_is_judged_once_a_round(self) -> None:
        judged: list[str] = []

        class Counting(Machine):
            def _judge(self, name: str, at: float) -> None:
                judged.append(name)
                super()._judge(name, at)

        plan = layers([[f"s{row}-{place}" for place in range(10)] for row in range(20)])
        machine = Counting(plan)
        _drive(machine)
        assert sorted(judged) == sorted(plan.steps)
        machine.handle(RerunAsked(at=5, mode=RerunMode.ALL))
        _drive(machine)
        assert len(judged) == 2 * len(plan.steps)

    def test_two_thousand_steps_in_layers(self) -> None:
        machine = Machine(layers([[f"s{r}-{p}" for p in range(50)] for r in range(40)]))
        _drive(machine)
        machine.validate()
        assert machine.status is RunStatus.SUCCESS

    @pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.FAILURE])
    def test_a_chain_of_five_thousand(self, outcome: Outcome) -> None:
        names = [f"s{n}" for n in range(5000)]
        machine = Machine(chain(names))
        _drive(machine, outcome)
        machine.validate()
        blocked = outcome is Outcome.FAILURE
        assert machine.status is RunStatus(outcome)
        assert machine.steps["s4999"].culprit == ("s0" if blocked else None)
        last = machine.inputs("s4999")
        assert last == ((("source", "source"),) if blocked else (("s4998", "of s4998"),))

    def test_a_chain_of_five_thousand_is_cancelled_at_once(self) -> None:
        machine = Machine(chain([f"s{n}" for n in range(5000)]))
        machine.handle(Began(at=0, source="source"))
        assert len(machine.handle(CancelAsked(at=1))) == 5000
        machine.validate()


def _drive(machine: Machine, outcome: Outcome = Outcome.SUCCESS) -> None:
    """Let everything that is wanted end, until nothing is wanted any more."""
    machine.handle(Began(at=0, source="source"))
    while machine.wanted():
        for want in list(machine.wanted().values()):
            snapshot = f"of {want.step}" if outcome is Outcome.SUCCESS else None
            machine.handle(
                StepEnded(
                    at=1, step=want.step, attempt=want.attempt, outcome=outcome, snapshot=snapshot
                )
            )
