"""The rules of a run, row by row as the design tells them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.states import Cause, Outcome, RunStatus, State
from pipelines.stimuli import RerunMode
from tests.pipelines.conftest import MakeMachine

PENDING, QUEUED, RUNNING, RETRYING = State.PENDING, State.QUEUED, State.RUNNING, State.RETRYING
SUCCESS, FAILURE, ERROR = State.SUCCESS, State.FAILURE, State.ERROR
CANCELLED, SKIPPED, BLOCKED = State.CANCELLED, State.SKIPPED, State.BLOCKED

CHAIN = """
steps:
  a: {run: x}
  b: {run: x, needs: a}
  c: {run: x, needs: b}
  d: {run: x, needs: c}
"""


class TestWhenIsFalse:
    """A step's `when:` is false."""

    def test_it_is_skipped_with_the_condition_as_reason(self, machine: MakeMachine) -> None:
        run = machine('steps: {a: {run: x, when: event.branch == "other"}}').begin()
        assert run.of("a") == (SKIPPED,)
        assert run["a"].reason == '`when: event.branch == "other"` is false'
        assert run["a"].attempts == []
        assert run.status() is RunStatus.SUCCESS

    def test_a_skip_satisfies_those_that_need_it(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, when: 'false'}, b: {run: x, needs: a}}").begin()
        assert run.of("a", "b") == (SKIPPED, QUEUED)

    @pytest.mark.parametrize(
        "use",
        [
            'image: "img:${{ steps.a.outputs.v }}"',
            'env: {V: "${{ steps.a.outputs.v }}"}',
            'artifacts: ["${{ steps.a.outputs.v }}"]',
            'when: steps.a.outputs.v == "1"',
        ],
    )
    def test_whoever_uses_its_output_is_skipped_too(self, machine: MakeMachine, use: str) -> None:
        run = machine(f"""
steps:
  a: {{run: x, when: 'false', outputs: v}}
  b:
    run: x
    needs: a
    {use}
""").begin()
        assert run.of("a", "b") == (SKIPPED, SKIPPED)
        assert run["b"].reason == "uses the output `v` of `a`, which was skipped"

    def test_with_a_default_it_runs(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x, when: 'false', outputs: v}
  b:
    run: x
    needs: a
    env: {V: '${{ default(steps.a.outputs.v, "none") }}'}
""").begin()
        assert run.of("b") == (QUEUED,)
        rendered = run["b"].rendered
        assert rendered is not None
        assert rendered.env == {"V": "none"}

    def test_an_output_that_was_never_written_skips_with_that_reason(
        self, machine: MakeMachine
    ) -> None:
        run = machine("""
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a, image: "img:${{ steps.a.outputs.v }}"}
""").begin()
        run.succeed("a")
        assert run["b"].reason == "uses the output `v` of `a`, which did not write it"

    def test_an_output_that_was_written_arrives(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a, image: "img:${{ steps.a.outputs.v }}"}
""").begin()
        run.succeed("a", outputs={"v": "3.10"})
        rendered = run["b"].rendered
        assert rendered is not None
        assert rendered.image == "img:3.10"

    def test_a_condition_that_cannot_be_evaluated_is_an_error(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a, when: 'fromjson(steps.a.outputs.v)'}
""").begin()
        run.succeed("a", outputs={"v": "{"})
        assert run.of("b") == (ERROR,)
        assert run["b"].reason.startswith("`b`: column ")
        assert run.status() is RunStatus.ERROR


class TestNeedFailed:
    """A needed step failed."""

    def test_blocked_names_the_culprit_through_all_levels(self, machine: MakeMachine) -> None:
        run = machine(CHAIN).begin()
        run.fail("a", exit_code=3)
        assert run.of("b", "c", "d") == (BLOCKED, BLOCKED, BLOCKED)
        assert [run[name].culprit for name in "bcd"] == ["a", "a", "a"]
        assert [run[name].reason for name in "bcd"] == ["`a` failed: exit code 3"] * 3
        assert run.status() is RunStatus.FAILURE

    @pytest.mark.parametrize(
        ("outcome", "message", "reason"),
        [
            (Outcome.FAILURE, "exit code 1", "`a` failed: exit code 1"),
            (Outcome.FAILURE, "", "`a` failed"),
            (Outcome.ERROR, "node lost", "`a` could not be run: node lost"),
            (Outcome.ERROR, "", "`a` could not be run"),
            (Outcome.CANCELLED, "stopped", "`a` was cancelled"),
        ],
    )
    def test_the_reason_says_how_the_culprit_ended(
        self, machine: MakeMachine, outcome: Outcome, message: str, reason: str
    ) -> None:
        run = machine(CHAIN).begin()
        run.end("a", outcome, message=message)
        assert run.of("b") == (BLOCKED,)
        assert run["b"].reason == reason

    def test_of_several_culprits_the_first_need_is_named(self, machine: MakeMachine) -> None:
        run = machine(
            "steps: {a: {run: x}, b: {run: x}, c: {run: x}, d: {run: x, needs: [a, c, b]}}"
        ).begin()
        run.fail("b", "c")
        assert run.of("d") == (PENDING,)
        run.succeed("a")
        assert run["d"].culprit == "c"

    @pytest.mark.parametrize(
        ("when", "after_failure", "after_success"),
        [
            ("failure()", QUEUED, SKIPPED),
            ("always()", QUEUED, QUEUED),
            ('steps.a.status == "failure"', QUEUED, SKIPPED),
            ('steps.a.status in ["success", "failure"]', QUEUED, QUEUED),
            ("success()", SKIPPED, QUEUED),
            ("not success()", QUEUED, SKIPPED),
            ('event.branch == "main"', BLOCKED, QUEUED),
            ('event.branch == "other"', BLOCKED, SKIPPED),
            ('event.branch == "main" and failure()', QUEUED, SKIPPED),
        ],
    )
    def test_when_may_ask_for_it(
        self, machine: MakeMachine, when: str, after_failure: State, after_success: State
    ) -> None:
        text = f"steps: {{a: {{run: x}}, b: {{run: x, needs: a, when: '{when}'}}}}"
        failed, fine = machine(text).begin(), machine(text).begin()
        failed.fail("a")
        fine.succeed("a")
        assert (*failed.of("b"), *fine.of("b")) == (after_failure, after_success)

    def test_failure_looks_beyond_the_direct_needs(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x}
  b: {run: x, needs: a}
  alarm: {run: x, needs: b, when: failure()}
""").begin()
        run.fail("a")
        assert run.of("b", "alarm") == (BLOCKED, QUEUED)

    def test_failure_looks_beyond_whoever_handled_it(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x}
  mend: {run: x, needs: a, when: always()}
  alarm: {run: x, needs: mend, when: failure()}
  fine: {run: x, needs: mend, when: success()}
""").begin()
        run.fail("a")
        run.succeed("mend")
        assert run.of("alarm", "fine") == (QUEUED, QUEUED)

    def test_who_needs_the_handler_goes_on(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x}
  mend: {run: x, needs: a, when: failure()}
  after: {run: x, needs: mend}
""").begin()
        run.fail("a")
        run.succeed("mend")
        assert run.of("after") == (QUEUED,)

    def test_an_expanded_step_stands_as_its_worst(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  t: {run: x, matrix: {v: ["1", "2", "3"]}}
  alarm: {run: x, needs: t, when: 'steps.t.status == "failure"'}
  after: {run: x, needs: t}
""").begin()
        run.succeed("t (v=1)", "t (v=3)")
        run.fail("t (v=2)")
        assert run.of("alarm", "after") == (QUEUED, BLOCKED)
        assert run["after"].culprit == "t (v=2)"

    def test_outputs_of_an_expanded_step_are_lists(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  t: {run: x, matrix: {v: ["1", "2"]}, outputs: n}
  sum: {run: x, needs: t, env: {N: "${{ steps.t.outputs.n }}"}}
""").begin()
        run.succeed("t (v=2)", outputs={"n": "two"})
        run.succeed("t (v=1)")
        rendered = run["sum"].rendered
        assert rendered is not None
        assert rendered.env == {"N": '[null,"two"]'}

    def test_an_expanded_step_that_was_skipped_wholly_has_no_outputs(
        self, machine: MakeMachine
    ) -> None:
        run = machine("""
steps:
  t: {run: x, matrix: {v: ["1", "2"]}, outputs: n, when: 'false'}
  sum: {run: x, needs: t, env: {N: "${{ steps.t.outputs.n }}"}}
""").begin()
        assert run["sum"].reason == "uses the output `n` of `t`, which was skipped"


class TestOthersAfterAFailure:
    """Independent branches go on; `fail_fast: true` stops the rest."""

    BRANCHES = """
steps:
  a: {run: x}
  a2: {run: x, needs: a}
  b: {run: x}
  b2: {run: x, needs: b}
  c: {run: x, retry: {limit: 1, on: failure}}
  alarm: {run: x, needs: a, when: failure()}
finally: {tidy: {run: x}}
"""

    def test_independent_branches_go_on(self, machine: MakeMachine) -> None:
        run = machine(self.BRANCHES).begin()
        run.fail("a")
        run.succeed("b")
        assert run.of("a2", "b2", "alarm") == (BLOCKED, QUEUED, QUEUED)

    def test_fail_fast_stops_what_has_not_started_and_what_runs(self, machine: MakeMachine) -> None:
        run = machine("fail_fast: true\n" + self.BRANCHES).begin()
        run.start("b")
        run.fail("c")
        assert run.of("c") == (RETRYING,)
        run.fail("a")
        assert run.of("a2", "b", "b2", "c", "alarm") == (
            CANCELLED,
            RUNNING,
            CANCELLED,
            CANCELLED,
            CANCELLED,
        )
        assert run.wants == {"b": "stop#1 fail fast"}
        assert run["b2"].reason == "fail_fast: `a` failed"
        run.stopped("b")
        assert run["b"].reason == "fail_fast: `a` failed"
        assert run.of("tidy") == (QUEUED,)
        run.succeed("tidy")
        assert run.status() is RunStatus.FAILURE

    def test_nothing_is_started_only_to_be_stopped(self, machine: MakeMachine) -> None:
        run = machine("fail_fast: true\n" + self.BRANCHES).begin()
        run.fail("a")
        assert run["alarm"].attempts == []

    def test_an_allowed_failure_and_a_retry_are_no_reason_to_stop(
        self, machine: MakeMachine
    ) -> None:
        run = machine("""
fail_fast: true
steps:
  a: {run: x, allow_failure: true}
  b: {run: x, retry: {limit: 1, on: failure}}
  c: {run: x}
""").begin()
        run.fail("a", "b")
        assert run.of("a", "b", "c") == (FAILURE, RETRYING, QUEUED)
        assert run.wants == {"c": "start#1"}

    def test_a_second_failure_changes_no_reason(self, machine: MakeMachine) -> None:
        run = machine("fail_fast: true\nsteps: {a: {run: x}, b: {run: x}, c: {run: x}}").begin()
        run.start("a", "b", "c")
        run.fail("a")
        run.err("b")
        assert run["b"].reason == "fail_fast: `a` failed"
        assert run["c"].reason == "fail_fast: `a` failed"

    def test_finally_goes_on_whatever_fails_in_it(self, machine: MakeMachine) -> None:
        run = machine(
            "fail_fast: true\nsteps: {a: {run: x}}\nfinally: {f: {run: x}, g: {run: x}}"
        ).begin()
        run.succeed("a")
        run.fail("f")
        assert run.wants == {"g": "start#1"}


class TestColour:
    """The colour of the run."""

    TWO = "steps: {a: {run: x}, b: {run: x, allow_failure: true}, c: {run: x, needs: b}}"

    def test_all_well(self, machine: MakeMachine) -> None:
        run = machine(self.TWO)
        assert run.status() is RunStatus.QUEUED
        run.begin()
        assert run.status() is RunStatus.RUNNING
        run.succeed("a", "b", "c")
        assert run.status() is RunStatus.SUCCESS

    @pytest.mark.parametrize("outcome", [Outcome.FAILURE, Outcome.ERROR])
    def test_orange_if_only_steps_failed_that_may(
        self, machine: MakeMachine, outcome: Outcome
    ) -> None:
        run = machine(self.TWO).begin()
        run.end("b", outcome)
        assert run.of("c") == (QUEUED,)
        run.succeed("a", "c")
        assert run.status() is RunStatus.WARNING

    def test_red_if_any_other_failed(self, machine: MakeMachine) -> None:
        run = machine(self.TWO).begin()
        run.fail("a", "b")
        run.succeed("c")
        assert run.status() is RunStatus.FAILURE

    def test_a_handled_failure_is_still_red(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x}, mend: {run: x, needs: a, when: failure()}}").begin()
        run.fail("a")
        run.succeed("mend")
        assert run.status() is RunStatus.FAILURE

    def test_an_allowed_failure_is_no_failure_for_others(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x, allow_failure: true}
  alarm: {run: x, needs: a, when: failure()}
  fine: {run: x, needs: a, when: success()}
""").begin()
        run.fail("a")
        assert run.of("alarm", "fine") == (SKIPPED, QUEUED)

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            (Outcome.ERROR, Outcome.SUCCESS, RunStatus.ERROR),
            (Outcome.ERROR, Outcome.FAILURE, RunStatus.FAILURE),
            (Outcome.CANCELLED, Outcome.SUCCESS, RunStatus.CANCELLED),
            (Outcome.CANCELLED, Outcome.FAILURE, RunStatus.FAILURE),
            (Outcome.CANCELLED, Outcome.ERROR, RunStatus.ERROR),
        ],
    )
    def test_what_failed_by_itself_outranks_the_rest(
        self, machine: MakeMachine, first: Outcome, second: Outcome, status: RunStatus
    ) -> None:
        run = machine("steps: {a: {run: x}, b: {run: x}}").begin()
        run.end("a", first)
        run.end("b", second)
        assert run.status() is status


class TestFinally:
    """`finally:` steps."""

    TEXT = """
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a}
finally:
  notify:
    run: x
    env:
      STATUS: "${{ run.status }}"
      V: "${{ default(steps.a.outputs.v, \\"none\\") }}"
      B: "${{ steps.b.status }}"
  later: {run: x, needs: notify}
"""

    def test_they_wait_for_everything_else(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        assert run.machine.status_before_finally is RunStatus.RUNNING
        run.succeed("a", outputs={"v": "1"})
        assert run.of("notify", "later") == (PENDING, PENDING)
        run.succeed("b")
        assert run.of("notify", "later") == (QUEUED, PENDING)
        rendered = run["notify"].rendered
        assert rendered is not None
        assert rendered.env == {"STATUS": "success", "V": "1", "B": "success"}
        run.succeed("notify", "later")
        assert run.status() is RunStatus.SUCCESS

    def test_they_run_after_a_failure_and_read_every_status(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.fail("a")
        rendered = run["notify"].rendered
        assert rendered is not None
        assert rendered.env == {"STATUS": "failure", "V": "none", "B": "blocked"}

    def test_they_run_after_a_cancel(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.start("a")
        run.cancel()
        assert run.of("b", "notify") == (CANCELLED, PENDING)
        run.stopped("a")
        assert run.of("notify") == (QUEUED,)
        assert run.machine.status_before_finally is RunStatus.CANCELLED
        run.succeed("notify", "later")
        assert run.status() is RunStatus.CANCELLED

    @pytest.mark.parametrize("cancelled", [False, True])
    def test_their_own_failure_reddens_the_run(
        self, machine: MakeMachine, *, cancelled: bool
    ) -> None:
        run = machine(self.TEXT).begin()
        if cancelled:
            run.cancel()
            run.stopped("a")
        else:
            run.succeed("a", "b")
        before = run.machine.status_before_finally
        run.fail("notify")
        assert run.of("later") == (BLOCKED,)
        assert run.machine.status_before_finally is before
        assert run.status() is RunStatus.FAILURE

    def test_conditions_look_at_the_whole_graph(self, machine: MakeMachine) -> None:
        run = machine("""
steps: {a: {run: x}, b: {run: x, needs: a}}
finally:
  alarm: {run: x, when: failure()}
  cheer: {run: x, when: success()}
  plain: {run: x}
""").begin()
        run.fail("a")
        assert run.of("alarm", "cheer", "plain") == (QUEUED, SKIPPED, QUEUED)

    def test_a_second_cancel_ends_them_too(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.cancel("ada")
        run.stopped("a")
        run.start("notify")
        run.cancel("bob")
        assert run.wants == {"notify": "stop#1 cancel"}
        assert run.of("later") == (CANCELLED,)
        run.stopped("notify")
        assert run["notify"].reason == "cancelled by bob"
        assert run["b"].reason == "cancelled by ada"
        assert run.status() is RunStatus.CANCELLED

    def test_a_graph_that_is_skipped_wholly_leads_to_them_at_once(
        self, machine: MakeMachine
    ) -> None:
        run = machine("steps: {a: {run: x, when: 'false'}}\nfinally: {f: {run: x}}").begin()
        assert run.of("a", "f") == (SKIPPED, QUEUED)


class TestTimeouts:
    """Timeouts: `failed`, cause `timeout`; a separate limit for waiting."""

    ONE = "steps: {a: {run: x, timeout: 10m, grace: 10s}}"

    def test_what_the_agent_says_is_taken(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.start("a")
        run.end("a", Outcome.FAILURE, Cause.TIMEOUT, message="ran longer than 10m")
        attempt = run["a"].attempts[0]
        assert (run["a"].state, attempt.cause) == (FAILURE, Cause.TIMEOUT)

    @pytest.mark.parametrize("said", [Outcome.CANCELLED, Outcome.FAILURE, Outcome.ERROR])
    def test_whoever_runs_on_is_stopped_after_timeout_grace_and_a_minute(
        self, machine: MakeMachine, said: Outcome
    ) -> None:
        run = machine(self.ONE).begin()
        run.start("a")
        started = run["a"].attempts[0].started_at or 0
        due = started + 600 + 10 + 60
        assert run.machine.next_timer() == due
        run.pass_time(due - 1)
        assert run.wants == {"a": "start#1"}
        run.pass_time(due)
        assert run.wants == {"a": "stop#1 timeout"}
        assert run.machine.next_timer() is None
        run.end("a", said, message="killed")
        attempt = run["a"].attempts[0]
        assert (run["a"].state, attempt.cause) == (FAILURE, Cause.TIMEOUT)
        assert run["a"].reason == "ran longer than 10m"

    def test_whoever_succeeds_while_it_is_stopped_has_succeeded(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.start("a")
        run.pass_time()
        run.succeed("a")
        assert run.of("a") == (SUCCESS,)

    def test_waiting_has_its_own_limit_from_the_first_word_of_it(
        self, machine: MakeMachine
    ) -> None:
        run = machine(self.ONE).begin()
        assert run.machine.next_timer() is None
        run.wait("a", "image is pulled")
        since = run["a"].attempts[0].waiting_since or 0
        run.now += 300
        run.wait("a", "no node has room")
        assert run.machine.next_timer() == since + 600
        run.pass_time()
        assert run.wants == {"a": "stop#1 waiting"}
        run.stopped("a")
        assert run["a"].reason == "waited longer than 10m: no node has room"
        assert (run["a"].state, run["a"].attempts[0].cause) == (ERROR, Cause.WAITING)

    def test_whoever_started_waits_no_more(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.wait("a")
        run.start("a")
        run.pass_time(run.now + 600)
        assert run.wants == {"a": "start#1"}
        assert run.wait("a", "too late") == frozenset()

    def test_each_try_has_its_own(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.wait("a")
        first = run.machine.next_timer() or 0
        run.err("a", ran=False)
        run.pass_time()
        run.pass_time(first)
        assert run.wants == {"a": "start#2"}
        run.wait("a")
        assert (run.machine.next_timer() or 0) == first + 601

    def test_waiting_too_long_is_not_tried_again_by_itself(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.wait("a")
        run.pass_time()
        run.end("a", Outcome.CANCELLED, ran=False)
        assert run.of("a") == (ERROR,)


class TestCancel:
    """Cancel is durable and wins over a start."""

    ONE = "steps: {a: {run: x, retry: {limit: 1, on: [failure, error]}}, b: {run: x, needs: a}}"

    def test_before_the_run_began(self, machine: MakeMachine) -> None:
        run = machine(self.ONE + "\nfinally: {f: {run: x}}")
        run.cancel()
        assert run.status() is RunStatus.QUEUED
        run.begin()
        assert run.of("a", "b", "f") == (CANCELLED, CANCELLED, QUEUED)
        assert run["a"].reason == "cancelled by ada"
        run.succeed("f")
        assert run.status() is RunStatus.CANCELLED

    @pytest.mark.parametrize("started", [False, True])
    @pytest.mark.parametrize("said", [Outcome.CANCELLED, Outcome.FAILURE, Outcome.ERROR])
    def test_what_may_run_is_stopped_and_not_tried_again(
        self, machine: MakeMachine, said: Outcome, *, started: bool
    ) -> None:
        run = machine(self.ONE).begin()
        if started:
            run.start("a")
        run.cancel()
        assert run.wants == {"a": "stop#1 cancel"}
        assert run.machine.next_timer() is None
        assert run.status() is RunStatus.RUNNING
        run.end("a", said, message="exit code 143", ran=False)
        assert run.of("a", "b") == (CANCELLED, CANCELLED)
        assert (run["a"].reason, run["a"].attempts[0].cause) == (
            "cancelled by ada",
            Cause.CANCELLED,
        )
        assert run.status() is RunStatus.CANCELLED

    def test_a_start_that_was_under_way_changes_nothing(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.cancel()
        run.wait("a", "image is pulled")
        run.start("a")
        assert run.of("a") == (RUNNING,)
        assert run.wants == {"a": "stop#1 cancel"}
        run.stopped("a")
        assert run["a"].reason == "cancelled by ada"

    def test_whoever_succeeds_all_the_same_has_succeeded(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.start("a")
        run.cancel()
        run.succeed("a")
        assert run.of("a", "b") == (SUCCESS, CANCELLED)
        assert run.status() is RunStatus.CANCELLED

    def test_while_a_retry_is_waited_for(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.fail("a")
        run.cancel()
        assert run.of("a", "b") == (CANCELLED, CANCELLED)
        assert run.machine.next_timer() is None
        assert run["a"].attempts[0].outcome is Outcome.FAILURE

    def test_it_outranks_every_other_stop(self, machine: MakeMachine) -> None:
        run = machine("fail_fast: true\nsteps: {a: {run: x}, b: {run: x}, c: {run: x}}").begin()
        run.start("a", "b", "c")
        run.pass_time(run.now + 10_000)
        assert run.wants["b"] == "stop#1 timeout"
        run.cancel("")
        assert run.wants["b"] == "stop#1 cancel"
        run.fail("b")
        assert run["b"].reason == "cancelled"

    def test_told_twice_the_first_is_named(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.cancel("ada")
        run.cancel("bob")
        run.stopped("a")
        assert run["a"].reason == "cancelled by ada"

    def test_after_the_end_it_changes_nothing(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x}}").begin()
        run.succeed("a")
        run.cancel()
        assert (run.status(), run.machine.cancelled_by) == (RunStatus.SUCCESS, None)


class TestOutcomeAgainstCause:
    """Only `error` is retried by itself, and only if the step never started."""

    ONE = "steps: {a: {run: x}}"

    def test_an_error_before_the_start_is_tried_again_twice(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        waits = []
        for _ in range(2):
            run.err("a", ran=False)
            assert run.of("a") == (RETRYING,)
            waits.append((run.machine.next_timer() or 0) - (run["a"].attempts[-1].ended_at or 0))
            run.pass_time()
        assert waits == [5, 10]
        run.err("a", ran=False)
        assert run.of("a") == (ERROR,)
        assert [attempt.number for attempt in run["a"].attempts] == [1, 2, 3]

    def test_an_error_of_what_ran_is_not(self, machine: MakeMachine) -> None:
        run = machine(self.ONE).begin()
        run.start("a")
        run.err("a", ran=True)
        assert run.of("a") == (ERROR,)

    @pytest.mark.parametrize("cause", [Cause.CONFIG, Cause.EXPRESSION, Cause.IMAGE, Cause.WAITING])
    def test_nor_is_one_that_would_come_again(self, machine: MakeMachine, cause: Cause) -> None:
        run = machine(self.ONE).begin()
        run.err("a", cause, ran=False)
        assert run.of("a") == (ERROR,)

    @pytest.mark.parametrize("outcome", [Outcome.FAILURE, Outcome.CANCELLED])
    def test_nor_is_any_other_outcome(self, machine: MakeMachine, outcome: Outcome) -> None:
        run = machine(self.ONE).begin()
        run.end("a", outcome, ran=False)
        assert run.of("a") == (State(outcome),)


class TestRetry:
    """`retry:` limit, on, backoff; every attempt keeps its own result."""

    @pytest.mark.parametrize(
        ("on", "outcome", "cause", "exit_code", "again"),
        [
            ("failure", Outcome.FAILURE, Cause.EXIT_CODE, 1, True),
            ("failure", Outcome.FAILURE, Cause.TIMEOUT, None, False),
            ("failure", Outcome.ERROR, Cause.NODE_LOST, None, False),
            ("timeout", Outcome.FAILURE, Cause.TIMEOUT, None, True),
            ("timeout", Outcome.FAILURE, Cause.EXIT_CODE, 1, False),
            ("error", Outcome.ERROR, Cause.NODE_LOST, None, True),
            ("error", Outcome.ERROR, Cause.IMAGE, None, True),
            ("error", Outcome.FAILURE, Cause.EXIT_CODE, 1, False),
            ("error", Outcome.CANCELLED, Cause.CANCELLED, None, False),
            ("[failure, timeout]", Outcome.FAILURE, Cause.TIMEOUT, None, True),
            ("75", Outcome.FAILURE, Cause.EXIT_CODE, 75, True),
            ("75", Outcome.FAILURE, Cause.EXIT_CODE, 1, False),
            ("[75, 111]", Outcome.FAILURE, Cause.EXIT_CODE, 111, True),
            ("75", Outcome.FAILURE, Cause.TIMEOUT, 75, False),
        ],
    )
    def test_on_which_ends(
        self,
        machine: MakeMachine,
        on: str,
        outcome: Outcome,
        cause: Cause,
        exit_code: int | None,
        *,
        again: bool,
    ) -> None:
        run = machine(f"steps: {{a: {{run: x, retry: {{on: {on}}}}}}}").begin()
        run.start("a")
        run.end("a", outcome, cause, exit_code=exit_code)
        assert run.of("a") == (RETRYING if again else State(outcome),)

    def test_up_to_the_limit_with_doubled_pauses(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {limit: 3, on: failure, backoff: 20s}}}").begin()
        pauses = []
        for number in (1, 2, 3):
            run.start("a")
            run.fail("a", exit_code=number)
            assert run["a"].reason == f"exit code {number}"
            pauses.append((run["a"].retry_at or 0) - (run["a"].attempts[-1].ended_at or 0))
            run.pass_time()
            assert run.wants == {"a": f"start#{number + 1}"}
        run.fail("a", exit_code=4)
        assert run.of("a") == (FAILURE,)
        assert pauses == [20, 40, 80]
        assert [attempt.exit_code for attempt in run["a"].attempts] == [1, 2, 3, 4]

    def test_limit_zero_means_never(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {limit: 0, on: failure}}}").begin()
        run.fail("a")
        assert run.of("a") == (FAILURE,)

    def test_the_second_try_may_save_the_run(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {on: failure}}, b: {run: x, needs: a}}").begin()
        run.fail("a")
        assert run.of("b") == (PENDING,)
        run.pass_time()
        run.succeed("a")
        assert run.of("b") == (QUEUED,)
        run.succeed("b")
        assert run.status() is RunStatus.SUCCESS

    def test_a_timeout_from_outside_counts_as_one(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {on: timeout}}}").begin()
        run.start("a")
        run.pass_time()
        run.stopped("a")
        assert run.of("a") == (RETRYING,)


class TestRerun:
    """Of an ended run: all, failed only, or from a chosen step."""

    TEXT = """
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a}
  c: {run: x, needs: b}
  d: {run: x, needs: a}
  s: {run: x, when: 'false'}
finally: {f: {run: x}}
"""

    def test_all_begins_anew_and_numbers_on(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.succeed("a", "b", "c", "d", "f")
        before = run["a"].attempts[0]
        run.rerun()
        assert (run.machine.round, run.status()) == (2, RunStatus.RUNNING)
        assert run.machine.ended_at is None
        assert run.of("a", "b", "c", "d", "s", "f") == (
            QUEUED,
            PENDING,
            PENDING,
            PENDING,
            SKIPPED,
            PENDING,
        )
        assert run.wants == {"a": "start#2"}
        assert run["a"].attempts[0] is before
        run.succeed("a", "b", "c", "d", "f")
        assert run.status() is RunStatus.SUCCESS

    def test_a_step_begins_anew_as_if_it_had_never_run(self, machine: MakeMachine) -> None:
        run, fresh = machine(self.TEXT).begin(), machine(self.TEXT).begin()
        run.succeed("a")
        run.fail("b")
        run.succeed("d", "f")
        run.rerun()
        for name in "bcdf":
            again = replace(run[name], attempts=[], earlier=0)
            assert again == fresh[name]

    def test_failed_takes_what_failed_and_what_depends_on_it(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.succeed("a", "d")
        run.fail("b")
        run.succeed("f")
        kept = run["a"].attempts[0]
        run.rerun(RerunMode.FAILED)
        assert run.of("a", "b", "c", "d", "s", "f") == (
            SUCCESS,
            QUEUED,
            PENDING,
            SUCCESS,
            SKIPPED,
            PENDING,
        )
        assert run["c"].culprit is None
        assert run["c"].reason == ""
        assert run["a"].attempts == [kept]
        assert run.machine.inputs("b") == (("a", "of a#1"),)
        run.succeed("b", "c", "f")
        assert run.status() is RunStatus.SUCCESS
        assert [len(run[name].attempts) for name in "abcdf"] == [1, 2, 1, 1, 2]

    def test_failed_includes_allowed_failures(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, allow_failure: true}, b: {run: x}}").begin()
        run.fail("a")
        run.succeed("b")
        run.rerun(RerunMode.FAILED)
        assert run.wants == {"a": "start#2"}
        run.succeed("a")
        assert run.status() is RunStatus.SUCCESS

    def test_failed_includes_what_was_cancelled(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.cancel()
        run.stopped("a")
        run.succeed("f")
        run.rerun(RerunMode.FAILED)
        assert run.machine.cancelled_by is None
        assert run.wants == {"a": "start#2"}

    def test_failed_may_be_a_finally_step_alone(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.succeed("a", "b", "c", "d")
        run.fail("f")
        run.rerun(RerunMode.FAILED)
        assert run.wants == {"f": "start#2"}
        run.succeed("f")
        assert run.status() is RunStatus.SUCCESS

    def test_from_a_step_takes_it_and_what_depends_on_it(self, machine: MakeMachine) -> None:
        run = machine(self.TEXT).begin()
        run.succeed("a", "b", "c", "d", "f")
        run.rerun(RerunMode.FROM, "b")
        assert run.of("a", "b", "c", "d", "f") == (SUCCESS, QUEUED, PENDING, SUCCESS, PENDING)

    def test_from_may_name_all_that_a_matrix_made_or_one_of_it(self, machine: MakeMachine) -> None:
        text = 'steps: {t: {run: x, matrix: {v: ["1", "2"]}}}'
        whole, one = machine(text).begin(), machine(text).begin()
        for run in (whole, one):
            run.succeed("t (v=1)", "t (v=2)")
        whole.rerun(RerunMode.FROM, "t")
        one.rerun(RerunMode.FROM, "t (v=2)")
        assert whole.wants == {"t (v=1)": "start#2", "t (v=2)": "start#2"}
        assert one.wants == {"t (v=2)": "start#2"}

    def test_what_is_blocked_by_a_step_that_stays_is_blocked_again(
        self, machine: MakeMachine
    ) -> None:
        run = machine(self.TEXT).begin()
        run.fail("a")
        run.succeed("f")
        run.rerun(RerunMode.FROM, "b")
        assert run.of("b", "c") == (BLOCKED, BLOCKED)
        assert run["c"].culprit == "a"

    def test_tries_count_anew(self, machine: MakeMachine) -> None:
        run = machine("steps: {a: {run: x, retry: {limit: 1, on: failure}}}").begin()
        run.fail("a")
        run.pass_time()
        run.fail("a")
        run.rerun()
        run.fail("a")
        assert run.of("a") == (RETRYING,)
        assert run["a"].retries == 1

    def test_outputs_and_snapshots_of_the_round_before_are_gone(self, machine: MakeMachine) -> None:
        run = machine("""
steps:
  a: {run: x, outputs: v}
  b: {run: x, needs: a, when: 'steps.a.outputs.v == "1"'}
  c: {run: x, needs: b}
""").begin()
        run.succeed("a", outputs={"v": "1"})
        run.succeed("b", "c")
        run.rerun()
        run.succeed("a", outputs={"v": "2"})
        assert run.of("b") == (SKIPPED,)
        assert run["b"].outputs is None
        assert run.machine.inputs("c") == (("a", "of a#2"),)

    @pytest.mark.parametrize(
        ("mode", "step", "refusal"),
        [
            (RerunMode.ALL, "", None),
            (RerunMode.FAILED, "", "no step failed"),
            (RerunMode.FROM, "a", None),
            (RerunMode.FROM, "ghost", "there is no step `ghost`"),
            (RerunMode.FROM, "", "there is no step ``"),
        ],
    )
    def test_refusals(
        self, machine: MakeMachine, mode: RerunMode, step: str, refusal: str | None
    ) -> None:
        run = machine("steps: {a: {run: x}}")
        assert run.machine.refusal_of_rerun(mode, step) == "the run has not ended"
        run.begin()
        assert run.machine.refusal_of_rerun(mode, step) == "the run has not ended"
        run.succeed("a")
        assert run.machine.refusal_of_rerun(mode, step) == refusal


class TestReasons:
    """A state, once terminal, and its reason never change afterwards."""

    def test_whatever_is_told_afterwards(self, machine: MakeMachine) -> None:
        run = machine("fail_fast: true\nsteps: {a: {run: x}, b: {run: x}}").begin()
        run.start("a", "b")
        run.fail("a")
        before = (run["a"].state, run["a"].reason, run["a"].ended_at, run["a"].attempts[0].message)
        run.succeed("a", message="all is well")
        run.start("a")
        assert run.wait("a", "for nothing") == frozenset()
        run.cancel()
        run.pass_time(run.now + 100_000)
        run.stopped("b")
        run.cancel()
        assert before == (
            run["a"].state,
            run["a"].reason,
            run["a"].ended_at,
            run["a"].attempts[0].message,
        )
