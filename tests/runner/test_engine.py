"""The engine carries a run from its delivery to its end, whatever gets in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.states import Cause
from runner.database import outbox, runs
from runner.database.connection import Database
from runner.database.words import CommandKind
from runner.executors.base import AttemptId, Phase
from runner.executors.fake import Delivery, Verb
from runner.executors.scripts import error, fail, hang, succeed
from runner.preparing import Broken, Later, NoRun
from tests.support.engines import Bench

CHAIN = """
steps:
  lint: {run: lint}
  test: {run: test, needs: lint}
finally:
  notify: {run: notify}
"""

WIDE = """
steps:
  a: {run: a}
  b: {run: b}
  c: {run: c}
  join: {run: join, needs: [a, b, c]}
"""


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Callable[..., Bench]:
    def make(text: str = CHAIN, **options: int) -> Bench:
        return Bench(database, tmp_path, text, **options)  # type: ignore[arg-type]

    return make


def test_a_push_becomes_a_run_that_ends_and_is_let_go(bench: Callable[..., Bench]) -> None:
    here = bench()
    run = here.push()
    here.settle()
    row = here.run(run)
    assert here.states(run) == {"lint": "success", "test": "success", "notify": "success"}
    assert (row.status, row.attempt, row.wanted, row.lease_owner) == ("success", 1, False, None)
    assert row.ended_at is not None
    assert here.engine.idle()
    assert [state for state, _ in here.statuses(run)] == ["running", "success"]
    assert here.statuses(run)[-1][1].startswith("Success: 3 steps")
    assert set(here.announced) == {run}
    assert here.world.called(Verb.FORGET)


def test_what_a_step_needs_comes_first_and_each_starts_once(bench: Callable[..., Bench]) -> None:
    here = bench()
    run = here.push()
    here.settle()
    assert [a.step for a in here.world.called(Verb.START)] == ["lint", "test", "notify"]
    assert set(here.world.starts.values()) == {1}
    order = here.world.orders[AttemptId(run, "test", 1)]
    assert order.command == ("sh", "-e", "-c", "test")
    assert order.environment["CI_STEP"] == "test"
    assert order.environment["CI_RUN_URL"] == f"http://ci.test/runs/{run}"


def test_a_failure_blocks_what_needs_it_and_names_it_on_the_commit(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.world.script("lint", fail(2))
    run = here.push()
    here.settle()
    assert here.states(run) == {"lint": "failure", "test": "blocked", "notify": "success"}
    assert here.run(run).status == "failure"
    assert "lint" in here.statuses(run)[-1][1]
    assert "exit code 2" in here.statuses(run)[-1][1]


def test_capacity_bounds_what_runs_at_once(bench: Callable[..., Bench]) -> None:
    here = bench(WIDE, capacity=2)
    for step in "abc":
        here.world.script(step, hang())
    run = here.push()
    here.settle()
    assert [a.step for a in here.world.living()] == ["a", "b"]
    assert here.states(run)["c"] == "queued"
    here.world.release(AttemptId(run, "a", 1))
    here.settle()
    assert [a.step for a in here.world.living()] == ["b", "c"]


def test_runs_take_turns_for_capacity(bench: Callable[..., Bench]) -> None:
    here = bench(WIDE, capacity=2)
    for step in "abc":
        here.world.script(step, hang())
    first, second = here.push(1), here.push(2)
    here.settle()
    assert sorted(a.run for a in here.world.living()) == sorted([first, second])


@pytest.mark.parametrize("delivery", [Delivery.LOST, Delivery.TWICE])
def test_news_that_is_lost_or_told_twice_changes_nothing(
    bench: Callable[..., Bench], delivery: Delivery
) -> None:
    here = bench()
    here.world.delivery = delivery
    run = here.push()
    here.settle()
    assert here.run(run).status == "success"
    assert set(here.world.starts.values()) == {1}


def test_cancel_stops_what_runs_and_still_runs_finally(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.CANCEL)
    here.settle()
    assert here.states(run) == {"lint": "cancelled", "test": "cancelled", "notify": "success"}
    assert here.run(run).status == "cancelled"
    assert here.reasons(run)["test"] == "cancelled by ann"
    assert here.engine.idle()


def test_cancel_before_there_is_a_plan(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.preparer.answers = [Later("git is away")]
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.CANCEL)
    here.settle()
    assert (here.run(run).status, here.run(run).reason) == ("cancelled", "cancelled by ann")
    assert here.statuses(run)[-1][0] == "cancelled"
    here.ask(run, CommandKind.RERUN, mode="all")
    here.settle()
    assert (here.run(run).status, here.run(run).attempt) == ("success", 2)


def test_commands_that_come_too_late_are_refused_with_a_reason(
    bench: Callable[..., Bench], database: Database
) -> None:
    here = bench()
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.CANCEL)
    here.ask(run, CommandKind.RERUN, mode="failed")
    here.settle()
    from runner.database import commands

    with database.read() as tx:
        told = [command.refused for command in commands.of(tx, run)]
    assert told == ["the run has ended", "no step failed"]
    assert here.run(run).wanted is False


def test_rerun_of_what_failed_keeps_the_rest(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("test", fail(1), succeed())
    run = here.push()
    here.settle()
    assert here.run(run).status == "failure"
    here.ask(run, CommandKind.RERUN, mode="failed")
    here.settle()
    assert (here.run(run).status, here.run(run).attempt) == ("success", 2)
    assert here.attempts(run) == [
        ("lint", 1, "success"),
        ("notify", 1, "success"),
        ("notify", 2, "success"),
        ("test", 1, "failure"),
        ("test", 2, "success"),
    ]
    states = [state for state, _ in here.statuses(run)]
    assert states == ["running", "failure", "running", "success"]


def test_rerun_of_all(bench: Callable[..., Bench]) -> None:
    here = bench()
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.RERUN, mode="all")
    here.settle()
    assert [number for _, number, _ in here.attempts(run)] == [1, 2] * 3
    assert here.run(run).status == "success"


def test_no_pipeline_file_makes_no_run(bench: Callable[..., Bench], database: Database) -> None:
    here = bench()
    here.preparer.answers = [NoRun("there is no .ci.yaml at c0ffee")]
    run = here.push()
    here.settle()
    with database.read() as tx:
        assert runs.find(tx, run) is None
        assert outbox.of(tx, run) == []
    assert here.engine.idle()


def test_a_broken_pipeline_file_is_an_error_that_the_commit_shows(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.preparer.answers = [Broken(".ci.yaml:3:5: unknown key `need`", ("one", "two"))]
    run = here.push()
    here.settle()
    row = here.run(run)
    assert (row.status, row.reason) == ("error", ".ci.yaml:3:5: unknown key `need`")
    assert row.warnings == ("one", "two")
    assert ".ci.yaml:3:5: unknown key `need`" in here.statuses(run)[-1][1]
    assert [state for state, _ in here.statuses(run)] == ["error"]


def test_what_is_away_is_waited_for_and_then_given_up(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.preparer.answers = [Later("no answer")] * 4
    run = here.push()
    for _ in range(5):
        here.settle()
        here.clock.advance(100)
    here.settle()
    assert here.run(run).status == "success"

    here.preparer.answers = [Later("no answer")] * 9
    run = here.push(2)
    for _ in range(9):
        here.settle()
        here.clock.advance(100)
    assert (here.run(run).status, here.run(run).reason) == ("error", "no answer")


def test_a_preparer_that_breaks_ends_the_run_and_not_the_engine(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.preparer.answers = [RuntimeError("boom")]
    run = here.push()
    here.settle()
    assert "boom" in here.run(run).reason
    again = here.push(2)
    here.settle()
    assert here.run(again).status == "success"


def test_what_never_started_is_tried_again_by_itself(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", error(Cause.EXECUTOR), succeed())
    run = here.push()
    here.settle()
    assert here.states(run)["lint"] == "retrying"
    here.clock.advance(10)
    here.settle()
    assert here.run(run).status == "success"
    assert here.attempts(run)[:2] == [("lint", 1, "error"), ("lint", 2, "success")]


def test_an_executor_that_refuses_is_an_error_of_ours(bench: Callable[..., Bench]) -> None:
    here = bench()
    for _ in range(3):
        here.world.refuse(Verb.START, "the disk is full")
    run = here.push()
    for _ in range(4):
        here.settle()
        here.clock.advance(30)
    assert here.states(run)["lint"] == "error"
    assert here.reasons(run)["lint"] == "the disk is full"


def test_a_server_that_starts_again_takes_up_what_runs(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    assert here.states(run)["lint"] == "running"
    here.new_engine()
    here.settle()
    assert here.states(run)["lint"] == "running"
    here.world.release(AttemptId(run, "lint", 1))
    here.settle()
    assert here.run(run).status == "success"
    assert set(here.world.starts.values()) == {1}


def test_what_ran_and_is_nowhere_is_lost_and_not_run_again(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.world.lose(AttemptId(run, "lint", 1))
    here.world._forget(AttemptId(run, "lint", 1))
    here.new_engine()
    here.settle()
    assert here.states(run) == {"lint": "error", "test": "blocked", "notify": "success"}
    assert here.attempts(run)[0] == ("lint", 1, "error")


def test_two_engines_never_hold_the_same_run(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    first = here.engine
    here.owner = "another"
    here.new_engine()
    here.settle()
    assert here.engine.idle()
    here.clock.advance(31)
    here.settle()
    assert here.run(run).lease_owner == "another"
    here.world.release(AttemptId(run, "lint", 1))
    first.turn()
    assert here.run(run).lease_owner == "another"
    here.settle()
    assert here.run(run).status == "success"
    assert set(here.world.starts.values()) == {1}


def test_a_step_that_takes_too_long_is_stopped_from_outside(bench: Callable[..., Bench]) -> None:
    here = bench("steps:\n  slow: {run: x, timeout: 30s}\n")
    here.world.script("slow", hang())
    run = here.push()
    here.settle()
    here.clock.advance(30 + 10 + 61)
    here.settle()
    assert here.states(run) == {"slow": "failure"}
    assert here.reasons(run)["slow"] == "ran longer than 30 s"


def test_a_hand_over_that_failed_after_it_worked_is_taken_for_what_it_is(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.world.script("lint", hang())
    here.world.refuse(Verb.START, "no answer", done=True)
    run = here.push()
    here.settle()
    assert here.states(run)["lint"] == "running"
    assert here.attempts(run) == [("lint", 1, None)]


def test_what_runs_is_looked_at_and_not_started_after_a_restart(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.world.refuse(Verb.START, "a hiccup")
    here.new_engine()
    here.settle()
    here.world.release(AttemptId(run, "lint", 1))
    here.settle()
    assert here.attempts(run)[0] == ("lint", 1, "success")
    assert set(here.world.starts.values()) == {1}


def test_a_stop_that_failed_is_asked_for_again(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.world.refuse(Verb.STOP, "no answer")
    here.ask(run, CommandKind.CANCEL)
    here.settle()
    assert here.states(run)["lint"] == "running"
    here.clock.advance(6)
    here.settle()
    assert here.run(run).status == "cancelled"


def test_a_look_that_failed_is_made_up_for(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.world.refuse(Verb.LOOK, "no answer")
    here.world.release(AttemptId(run, "lint", 1))
    here.engine.turn()
    assert here.states(run)["lint"] == "running"
    here.clock.advance(16)
    here.settle()
    assert here.run(run).status == "success"


def test_news_that_nobody_was_told_of_is_seen(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", hang())
    run = here.push()
    here.settle()
    here.world.delivery = Delivery.LOST
    here.world.release(AttemptId(run, "lint", 1))
    here.clock.advance(16)
    here.settle()
    assert here.run(run).status == "success"


def test_what_was_handed_over_and_is_gone_is_tried_again_or_lost(
    bench: Callable[..., Bench],
) -> None:
    here = bench()
    here.world.script("lint", hang().held(Phase.WAITING), succeed())
    run = here.push()
    here.settle()
    attempt = AttemptId(run, "lint", 1)
    here.world.lose(attempt)
    here.world._forget(attempt)
    here.settle()
    assert here.states(run)["lint"] == "retrying"
    here.clock.advance(10)
    here.settle()
    assert here.run(run).status == "success"


def test_a_freed_place_is_taken_at_once(bench: Callable[..., Bench]) -> None:
    here = bench("steps: {a: {run: a}, b: {run: b, needs: a}}\n", capacity=1)
    here.world.script("a", hang())
    run = here.push()
    here.settle()
    here.world.release(AttemptId(run, "a", 1))
    here.engine.turn()
    assert here.world.called(Verb.START)[-1].step == "b"


def test_a_rerun_that_finds_nothing_to_run_keeps_the_run(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.preparer.answers = [Broken("refused"), NoRun("there is no .ci.yaml")]
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.RERUN, mode="all")
    here.settle()
    assert (here.run(run).status, here.run(run).reason) == ("error", "there is no .ci.yaml")
    assert [state for state, _ in here.statuses(run)][-1] == "error"


def test_a_run_whose_journal_cannot_be_read_ends_and_holds_up_no_other(
    bench: Callable[..., Bench], database: Database
) -> None:
    from runner.database.tables import journal

    here = bench()
    here.world.script("lint", hang(), succeed())
    run = here.push()
    here.settle()
    with database.write() as tx:
        tx.execute(journal.update().where(journal.c.sequence == 2).values(kind="nonsense"))
    here.new_engine()
    other = here.push(2)
    here.settle()
    assert here.run(other).status == "success"
    row = here.run(run)
    assert (row.status, row.wanted) == ("error", False)
    assert "its journal cannot be read" in row.reason
    assert here.world.called(Verb.STOP) == [AttemptId(run, "lint", 1)]
    assert here.states(run)["lint"] == "error"
    here.ask(run, CommandKind.RERUN, mode="all")
    here.settle()
    assert here.run(run).status == "error"
    assert here.engine.idle()


def test_a_rerun_after_a_failed_tidying_does_not_spin(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.refuse(Verb.FORGET, "busy")
    run = here.push()
    here.settle()
    here.world.script("lint", hang())
    here.ask(run, CommandKind.RERUN, mode="all")
    here.settle()
    here.clock.advance(40)
    here.settle()
    assert here.engine.turn() > 0
    here.world.release(AttemptId(run, "lint", 2))
    here.settle()
    assert here.engine.idle()


def test_cancel_is_refused_while_nothing_can_be_cancelled(
    bench: Callable[..., Bench], database: Database
) -> None:
    here = bench()
    here.preparer.answers = [Broken("bad"), Broken("bad")]
    run = here.push()
    here.settle()
    here.ask(run, CommandKind.CANCEL)
    here.settle()
    from runner.database import commands

    with database.read() as tx:
        assert [command.refused for command in commands.of(tx, run)] == ["the run has ended"]


def test_conflicts_of_workspaces_are_told_on_the_run(bench: Callable[..., Bench]) -> None:
    here = bench("steps: {a: {run: a}, b: {run: b}, c: {run: c, needs: [a, b]}}\n")
    from runner.workspace.manifest import Entry, Kind, build

    base = here.preparer.source

    def leave(mode: bool) -> str:
        link = Entry("x", Kind.SYMLINK, target="a" if mode else "b")
        return here.snapshots.save(build([link], (base,), {}))

    here.world.script("a", succeed(snapshot=leave(True)))
    here.world.script("b", succeed(snapshot=leave(False)))
    run = here.push()
    here.settle()
    assert here.run(run).warnings == ("c: `x` was changed by `a` and by `b`, which won",)


def test_what_a_step_warns_of_is_told_on_the_run(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.world.script("lint", replace(succeed(), warnings=("left out: x",)))
    run = here.push()
    here.settle()
    assert here.run(run).warnings == ("lint: left out: x",)
