"""What the engine offers an executor to make ready, and when it offers nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.database.connection import Database
from runner.database.words import CommandKind
from runner.executors.base import ExecutorError, Outline
from runner.executors.fake import FakeExecutor, FakeWorld
from runner.executors.scripts import hang
from runner.foreseeing import Foreseer
from runner.pool import ThreadPool
from tests.support.engines import Bench

CHAIN = """
steps:
  a: {run: x}
  b: {run: x, needs: a, image: "b:1", timeout: 5m, grace: 3s}
  c: {run: x, needs: b}
  d: {run: x, needs: c}
"""


def bench(
    database: Database, folder: Path, text: str, *, ahead: int = 0, capacity: int | None = None
) -> Bench:
    made = Bench(database, folder, text, ahead=ahead, capacity=capacity)
    for step in "abcd":
        made.world.script(step, hang())
    return made


def prepared(made: Bench) -> list[str]:
    return [str(outline.attempt) for outline in made.world.prepared]


def test_what_comes_next_is_offered_with_all_it_needs_to_start(
    database: Database, tmp_path: Path
) -> None:
    made = bench(database, tmp_path, CHAIN, ahead=2)
    run = made.push()
    made.settle()
    assert prepared(made) == ["b#1", "c#1"]
    first = made.world.prepared[0]
    assert (first.attempt.run, first.image, first.timeout, first.grace) == (run, "b:1", 300.0, 3.0)


def test_the_offer_moves_with_the_run_and_ends_with_it(database: Database, tmp_path: Path) -> None:
    made = bench(database, tmp_path, CHAIN, ahead=1)
    run = made.push()
    made.settle()
    for step, offered in zip("abcd", (["b#1"], ["c#1"], ["d#1"], []), strict=True):
        assert prepared(made) == offered
        (attempt,) = made.world.living()
        assert attempt.step == step
        made.world.release(attempt)
        made.settle()
    assert made.run(run).status.terminal
    assert prepared(made) == []


def test_nothing_is_offered_while_something_waits_that_could_run(
    database: Database, tmp_path: Path
) -> None:
    text = "steps: {a: {run: x}, b: {run: x}, c: {run: x, needs: a}}"
    made = bench(database, tmp_path, text, ahead=5, capacity=1)
    made.push()
    made.settle()
    assert prepared(made) == []
    made.world.release(made.world.living()[0])
    made.settle()
    assert prepared(made) == []
    made.world.release(made.world.living()[0])
    made.settle()
    assert prepared(made) == []


def test_runs_share_what_may_be_made_ready(database: Database, tmp_path: Path) -> None:
    made = bench(database, tmp_path, CHAIN, ahead=3)
    first, second = made.push(1, branch="one"), made.push(2, branch="two")
    made.settle()
    offered = [(outline.attempt.run, outline.attempt.step) for outline in made.world.prepared]
    assert offered == [(first, "b"), (second, "b"), (first, "c")]


def test_a_cancel_withdraws_the_offer(database: Database, tmp_path: Path) -> None:
    made = bench(database, tmp_path, CHAIN, ahead=2)
    run = made.push()
    made.settle()
    made.ask(run, CommandKind.CANCEL)
    made.settle()
    assert prepared(made) == []


def test_without_a_limit_nothing_is_ever_offered(database: Database, tmp_path: Path) -> None:
    made = bench(database, tmp_path, CHAIN)
    made.push()
    made.settle()
    assert prepared(made) == []


class Slow(FakeExecutor):
    """An executor that takes its time over the first offer, and refuses it."""

    def __init__(self) -> None:
        super().__init__(FakeWorld())
        self.offers: list[Sequence[Outline]] = []
        self.called = threading.Event()
        self.go_on = threading.Event()
        self.done = threading.Event()

    def prepare(self, outlines: Sequence[Outline]) -> None:
        self.offers.append(outlines)
        if len(self.offers) == 1:
            self.called.set()
            assert self.go_on.wait(30)
            message = "scripted: no"
            raise ExecutorError(message)
        self.done.set()


def test_an_offer_that_was_overtaken_is_left_out_and_a_refusal_is_survived(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(database, tmp_path, CHAIN, ahead=0)
    run = made.push()
    made.settle()
    live = made.engine.holding(run)
    assert live is not None
    executor, pool = Slow(), ThreadPool(2)
    try:
        foreseer = Foreseer(executor, pool, 1)
        foreseer.offer([live])
        assert executor.called.wait(30)
        for step in "ab":
            (attempt,) = made.world.living()
            assert attempt.step == step
            made.world.release(attempt)
            made.settle()
            foreseer.offer([live])
            foreseer.offer([live])
        executor.go_on.set()
        assert executor.done.wait(30)
    finally:
        pool.close()
    assert [[outline.attempt.step for outline in offer] for offer in executor.offers] == [
        ["b"],
        ["d"],
    ]
    assert "nothing is made ready ahead" in caplog.text
