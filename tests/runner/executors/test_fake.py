from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import (
    ABSENT,
    Artifact,
    AttemptId,
    Executor,
    ExecutorError,
    Order,
    Phase,
    Result,
)
from runner.executors.fake import Call, Delivery, FakeExecutor, FakeWorld, Verb
from runner.executors.scripts import Script, error, fail, hang, succeed
from tests.runner.executors.contract import ExecutorContract, Play, Stage

PLAYS: dict[Play, Callable[[], Script]] = {
    Play.SUCCEED: succeed,
    Play.FAIL: lambda: fail(3),
    Play.HANG: hang,
}


class FakeStage:
    def __init__(self) -> None:
        self.world = FakeWorld(clock=itertools.count(1).__next__)

    def executor(self) -> Executor:
        return FakeExecutor(self.world)

    def order(self, play: Play, number: int = 1) -> Order:
        self.world.script(play, PLAYS[play]())
        return an_order(play, number)

    def release(self, order: Order) -> None:
        self.world.release(order.attempt)

    def starts(self, order: Order) -> int:
        return self.world.starts[order.attempt]


@pytest.fixture
def stage() -> Stage:
    return FakeStage()


class TestFakeExecutor(ExecutorContract):
    pass


def an_order(step: str = "build", number: int = 1) -> Order:
    attempt = AttemptId("run-1", step, number)
    return Order(attempt=attempt, command=("true",), environment={}, input="input")


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld(clock=itertools.count(1).__next__)


@pytest.fixture
def executor(world: FakeWorld) -> FakeExecutor:
    return FakeExecutor(world)


def result_of(executor: Executor, order: Order) -> Result:
    result = executor.look(order.attempt).result
    assert result is not None
    return result


def test_a_step_without_a_script_succeeds_and_leaves_its_input(executor: FakeExecutor) -> None:
    executor.start(an_order())
    result = result_of(executor, an_order())
    assert (result.outcome, result.snapshot) == (Outcome.SUCCESS, "input")


def test_each_attempt_has_its_script_and_the_last_is_for_all_others(
    world: FakeWorld, executor: FakeExecutor
) -> None:
    world.script("build", fail(7), error(Cause.EVICTED), succeed({"a": "1"}))
    orders = [an_order(number=number) for number in (1, 2, 3, 4)]
    for order in orders:
        executor.start(order)
    results = [result_of(executor, order) for order in orders]
    assert [result.outcome for result in results] == ["failure", "error", "success", "success"]
    assert results[0].exit_code == 7
    assert results[3].outputs == {"a": "1"}


def test_an_error_before_the_start_leaves_nothing(world: FakeWorld, executor: FakeExecutor) -> None:
    world.script("build", error(Cause.IMAGE, message="no such image"))
    executor.start(an_order())
    result = result_of(executor, an_order())
    assert (result.cause, result.message) == (Cause.IMAGE, "no such image")
    assert (result.started, result.started_at, result.snapshot) == (False, None, None)
    assert world.starts[an_order().attempt] == 0


def test_an_error_of_what_ran_counts_as_a_start(world: FakeWorld, executor: FakeExecutor) -> None:
    world.script("build", error(Cause.EVICTED, started=True))
    executor.start(an_order())
    assert result_of(executor, an_order()).started
    assert world.starts[an_order().attempt] == 1


def test_a_script_says_what_is_left(world: FakeWorld, executor: FakeExecutor) -> None:
    artifact = Artifact(path="a", size=1, digest="d")
    world.script(
        "build",
        succeed(snapshot="fixed", artifacts=(artifact,)),
        succeed(snapshot=lambda order: f"{order.input} and more"),
    )
    executor.start(an_order())
    executor.start(an_order(number=2))
    assert result_of(executor, an_order()).snapshot == "fixed"
    assert result_of(executor, an_order()).artifacts == (artifact,)
    assert result_of(executor, an_order(number=2)).snapshot == "input and more"


def test_an_attempt_goes_on_from_hold_to_hold(world: FakeWorld, executor: FakeExecutor) -> None:
    world.script("build", fail().held(Phase.WAITING, Phase.RUNNING))
    order = an_order()
    phases = []
    executor.start(order)
    for _ in range(4):
        phases.append(executor.look(order.attempt).phase)
        world.release(order.attempt)
    assert phases == [Phase.WAITING, Phase.RUNNING, Phase.ENDED, Phase.ENDED]
    assert world.starts[order.attempt] == 1


def test_what_is_stopped_while_it_waits_never_started(
    world: FakeWorld, executor: FakeExecutor
) -> None:
    world.script("build", succeed().held(Phase.WAITING))
    executor.start(an_order())
    assert world.living() == [an_order().attempt]
    executor.stop(an_order().attempt)
    result = result_of(executor, an_order())
    assert (result.outcome, result.started, result.snapshot) == (Outcome.CANCELLED, False, None)
    assert world.living() == []


@pytest.mark.parametrize(("hold", "started"), [(Phase.WAITING, False), (Phase.RUNNING, True)])
def test_attempts_can_be_lost(
    world: FakeWorld, executor: FakeExecutor, hold: Phase, started: bool
) -> None:
    world.script("build", succeed().held(hold))
    executor.start(an_order())
    world.lose(an_order().attempt)
    result = result_of(executor, an_order())
    assert (result.cause, result.started) == (Cause.LOST, started)
    world.lose(an_order().attempt)
    assert result_of(executor, an_order()) == result


@pytest.mark.parametrize(
    ("delivery", "times"), [(Delivery.LOST, 0), (Delivery.ONCE, 1), (Delivery.TWICE, 2)]
)
def test_news_can_be_lost_and_repeated(
    world: FakeWorld, executor: FakeExecutor, delivery: Delivery, times: int
) -> None:
    heard: list[AttemptId] = []
    executor.listen(heard.append)
    world.delivery = delivery
    executor.start(an_order())
    assert heard == [an_order().attempt] * times
    world.tell(an_order().attempt)
    assert len(heard) == times + 1


@pytest.mark.parametrize("done", [False, True])
def test_a_call_can_be_refused_before_or_after_its_work(
    world: FakeWorld, executor: FakeExecutor, done: bool
) -> None:
    world.refuse(Verb.START, "no room", done=done)
    with pytest.raises(ExecutorError, match="no room"):
        executor.start(an_order())
    assert (executor.look(an_order().attempt) != ABSENT) is done
    executor.start(an_order())
    assert world.starts[an_order().attempt] == 1


def test_it_remembers_what_it_was_asked(world: FakeWorld, executor: FakeExecutor) -> None:
    attempt = an_order().attempt
    executor.start(an_order())
    executor.look(attempt)
    executor.stop(attempt)
    executor.forget("run-1", [attempt])
    verbs = (Verb.START, Verb.LOOK, Verb.STOP, Verb.FORGET)
    assert world.calls == [Call(verb, attempt) for verb in verbs]
    assert world.called(Verb.STOP) == [attempt]
    assert world.orders[attempt] == an_order()


def test_a_closed_executor_refuses_calls_as_a_dead_server_makes_none(
    executor: FakeExecutor,
) -> None:
    executor.start(an_order())
    executor.close()
    with pytest.raises(ExecutorError, match="closed"):
        executor.look(an_order().attempt)
