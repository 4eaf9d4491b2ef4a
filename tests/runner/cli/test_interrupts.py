"""Ctrl-C: the first is a wish, the second an end."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from runner.cli.displays import PlainDisplay
from runner.cli.exits import ExitCode
from runner.cli.interrupts import Interrupts
from runner.cli.local import carry_out
from tests.runner.cli.looks import Hand, ScriptedRun, plan_of


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_from_another_thread(number: signal.Signals) -> None:
    asked = threading.Event()
    asking: list[threading.Thread] = []

    def cancel() -> None:
        asking.append(threading.current_thread())
        asked.set()

    before = signal.getsignal(number)
    interrupts = Interrupts(cancel)
    with interrupts.caught():
        os.kill(os.getpid(), number)
        assert asked.wait(10)
        assert asking != [threading.main_thread()]
    assert (interrupts.count, signal.getsignal(number)) == (1, before)


def test_the_second_ends_it() -> None:
    interrupts = Interrupts(lambda: None)
    interrupts.take()
    with pytest.raises(KeyboardInterrupt):
        interrupts.take()


def test_a_run_that_is_cancelled() -> None:
    hand = Hand(plan_of("steps: {a: {run: x}}"))
    printed: list[str] = []

    def interrupted() -> None:
        hand.start("a")
        os.kill(os.getpid(), signal.SIGINT)

    def stopped() -> None:
        hand.cancel()
        hand.end("a", 143)

    run = ScriptedRun(hand, [interrupted, lambda: None, stopped])
    code = carry_out(run, PlainDisplay(printed.append), iter([0.0, 1.0]).__next__, None)
    notes = [line for line in printed if line.startswith("cancelling")]
    assert notes == ["cancelling: steps are asked to end; press Ctrl-C again to give up"]
    assert (run.cancelled, code) == (1, ExitCode.INTERRUPTED)


def test_a_run_that_is_given_up() -> None:
    hand = Hand(plan_of("steps: {a: {run: x}}"))

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    closed: list[bool] = []

    class Watched(PlainDisplay):
        def close(self) -> None:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        carry_out(ScriptedRun(hand, [twice]), Watched(print), lambda: 0.0, None)
    assert closed == [True]
