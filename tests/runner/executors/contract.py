"""What every executor must do, whatever runs the attempts: run against each implementation.

A module that tests one gives a fixture `stage` and a subclass of `ExecutorContract`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from pipelines.states import Cause, Outcome
from runner.executors.base import ABSENT, AttemptId, Executor, Order, Phase, Result

PATIENCE = 60.0


class Play(StrEnum):
    """What a step does: end well, end with exit code 3, or run until it is released."""

    SUCCEED = "succeed"
    FAIL = "fail"
    HANG = "hang"


class Stage(Protocol):
    """Where executors of one kind meet the attempts of one world."""

    def executor(self) -> Executor:
        """Return a new executor, as a server that was started again would make one."""

    def order(self, play: Play, number: int = 1) -> Order:
        """Return the order of an attempt of a step that is named after what it does."""

    def release(self, order: Order) -> None:
        """Let a step that hangs end well."""

    def starts(self, order: Order) -> int:
        """Return how often the command of an attempt was really run."""


class Ear:
    """A listener that keeps what it heard; made for one executor."""

    def __init__(self, executor: Executor) -> None:
        self.heard: list[AttemptId] = []
        self._executor = executor
        self._news = threading.Condition()
        executor.listen(self._hear)

    def until(self, attempt: AttemptId, *phases: Phase) -> None:
        """Return when a look, taken at first and at all news, shows one of these phases."""
        self.until_true(lambda: self._executor.look(attempt).phase in phases)

    def until_true(self, wanted: Callable[[], bool]) -> None:
        """Return when something is true, looking at first and whenever there is news."""
        with self._news:
            assert self._news.wait_for(wanted, PATIENCE), "nobody told of it"

    def end_of(self, attempt: AttemptId) -> Result:
        """Return the result of an attempt, as soon as there is one."""
        self.until(attempt, Phase.ENDED)
        result = self._executor.look(attempt).result
        assert result is not None
        return result

    def _hear(self, attempt: AttemptId) -> None:
        with self._news:
            self.heard.append(attempt)
            self._news.notify_all()


@contextmanager
def ears(stage: Stage) -> Iterator[tuple[Executor, Ear]]:
    """Give an executor that is closed in the end, and an ear for it."""
    executor = stage.executor()
    try:
        yield executor, Ear(executor)
    finally:
        executor.close()


class ExecutorContract:
    def test_what_was_never_started_is_absent(self, stage: Stage) -> None:
        with ears(stage) as (executor, _):
            assert executor.look(stage.order(Play.SUCCEED).attempt) == ABSENT

    def test_a_step_that_succeeds(self, stage: Stage) -> None:
        order = stage.order(Play.SUCCEED)
        with ears(stage) as (executor, ear):
            executor.start(order)
            result = ear.end_of(order.attempt)
            assert (result.outcome, result.cause) == (Outcome.SUCCESS, Cause.NONE)
            assert (result.exit_code, result.message) == (0, "")
            assert result.snapshot
            assert result.started
            assert result.started_at is not None
            assert result.started_at <= result.ended_at
            assert executor.look(order.attempt).started_at == result.started_at
            assert ear.heard

    def test_a_step_that_fails(self, stage: Stage) -> None:
        order = stage.order(Play.FAIL)
        with ears(stage) as (executor, ear):
            executor.start(order)
            result = ear.end_of(order.attempt)
            assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.EXIT_CODE)
            assert (result.exit_code, result.message) == (3, "exit code 3")
            assert result.started
            assert result.snapshot

    def test_a_step_that_runs_is_seen_to_run(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            sighting = executor.look(order.attempt)
            assert sighting.started_at is not None
            assert sighting.result is None
            stage.release(order)
            assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_stopping_what_was_never_started_changes_nothing(self, stage: Stage) -> None:
        order = stage.order(Play.SUCCEED)
        with ears(stage) as (executor, ear):
            executor.stop(order.attempt)
            assert executor.look(order.attempt) == ABSENT
            executor.start(order)
            assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_stopping_what_runs_cancels_it(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            executor.stop(order.attempt)
            result = ear.end_of(order.attempt)
            assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
            assert result.started
            assert result.message

    def test_stopping_right_after_starting_is_not_lost(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            executor.stop(order.attempt)
            assert ear.end_of(order.attempt).outcome is Outcome.CANCELLED
            assert stage.starts(order) <= 1

    def test_stopping_twice_is_stopping_once(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            executor.stop(order.attempt)
            executor.stop(order.attempt)
            result = ear.end_of(order.attempt)
            executor.stop(order.attempt)
            assert executor.look(order.attempt).result == result

    def test_stopping_what_has_ended_changes_nothing(self, stage: Stage) -> None:
        order = stage.order(Play.SUCCEED)
        with ears(stage) as (executor, ear):
            executor.start(order)
            result = ear.end_of(order.attempt)
            executor.stop(order.attempt)
            assert executor.look(order.attempt).result == result

    def test_starting_twice_starts_once(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            executor.start(order)
            stage.release(order)
            ear.end_of(order.attempt)
            assert stage.starts(order) == 1

    def test_starting_what_has_ended_changes_nothing(self, stage: Stage) -> None:
        order = stage.order(Play.FAIL)
        with ears(stage) as (executor, ear):
            executor.start(order)
            result = ear.end_of(order.attempt)
            before = len(ear.heard)
            executor.start(order)
            ear.until_true(lambda: len(ear.heard) > before)
            assert executor.look(order.attempt).result == result
            assert stage.starts(order) == 1

    def test_attempts_are_told_apart(self, stage: Stage) -> None:
        first, second = stage.order(Play.FAIL), stage.order(Play.FAIL, 2)
        other = stage.order(Play.SUCCEED)
        with ears(stage) as (executor, ear):
            for order in (first, other):
                executor.start(order)
            assert ear.end_of(first.attempt).outcome is Outcome.FAILURE
            assert ear.end_of(other.attempt).outcome is Outcome.SUCCESS
            assert executor.look(second.attempt) == ABSENT
            executor.start(second)
            assert ear.end_of(second.attempt).exit_code == 3
            assert stage.starts(first) == stage.starts(second) == 1

    def test_what_runs_goes_on_without_its_executor_and_another_takes_it_up(
        self, stage: Stage
    ) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            heard = len(ear.heard)
        with ears(stage) as (second, second_ear):
            second.start(order)
            assert second.look(order.attempt).phase is Phase.RUNNING
            stage.release(order)
            assert second_ear.end_of(order.attempt).outcome is Outcome.SUCCESS
            assert stage.starts(order) == 1
            assert len(ear.heard) == heard, "a closed executor tells nobody"

    def test_what_another_executor_started_is_heard_of_once_it_was_looked_at(
        self, stage: Stage
    ) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear), ears(stage) as (other, other_ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            assert other.look(order.attempt).phase is Phase.RUNNING
            stage.release(order)
            assert other_ear.end_of(order.attempt) == ear.end_of(order.attempt)

    def test_another_executor_can_stop_what_runs(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
        with ears(stage) as (second, second_ear):
            second.stop(order.attempt)
            assert second_ear.end_of(order.attempt).outcome is Outcome.CANCELLED

    def test_what_ended_in_between_is_there_for_the_next_executor(self, stage: Stage) -> None:
        order = stage.order(Play.FAIL)
        with ears(stage) as (executor, ear):
            executor.start(order)
            result = ear.end_of(order.attempt)
        with ears(stage) as (second, _):
            assert second.look(order.attempt).result == result

    def test_what_has_ended_can_be_forgotten(self, stage: Stage) -> None:
        order = stage.order(Play.FAIL)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.end_of(order.attempt)
            executor.forget(order.attempt.run, [order.attempt])
            assert executor.look(order.attempt) == ABSENT
            executor.forget(order.attempt.run, [order.attempt])

    def test_what_lives_is_not_forgotten(self, stage: Stage) -> None:
        order = stage.order(Play.HANG)
        with ears(stage) as (executor, ear):
            executor.start(order)
            ear.until(order.attempt, Phase.RUNNING)
            executor.forget(order.attempt.run, [order.attempt])
            assert executor.look(order.attempt).phase is Phase.RUNNING
            stage.release(order)
            assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
