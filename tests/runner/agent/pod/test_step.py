from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.agent.errors import AgentError, ContainerLost
from runner.agent.loglines import LogWriter
from runner.agent.pod.launcher import Launcher
from runner.agent.pod.step import Step
from runner.agent.signals import Signals
from runner.agent.verdict import CANCELLED, TIMEOUT, Ending


class Stage:
    """A step whose launcher is the test; its clock ticks once a look."""

    def __init__(self, folder: Path) -> None:
        (folder / "program").touch()
        (folder / "control").mkdir()
        self.launcher = Launcher(str(folder / "control"), str(folder / "program"))
        self.signals = Signals()
        self.control = folder / "control"
        self.log = LogWriter(folder / "log", clock=lambda: 1.0)
        self.go = os.open(self.control / "go", os.O_RDONLY | os.O_NONBLOCK)
        self.end = os.open(self.control / "end", os.O_WRONLY)

    def say(self, text: bytes) -> None:
        os.write(self.end, text)

    def play(self, timeout: float, tick: float) -> Ending | None:
        ticks: Iterator[float] = itertools.count(0.0, tick)
        clock: Callable[[], float] = lambda: next(ticks)
        with Step(
            self.launcher, log=self.log, signals=self.signals, grace=1.0, clock=clock
        ) as step:
            return step.run(b"order", "sh", timeout)

    def asked(self) -> bytes:
        """Return what was asked of the launcher."""
        return os.read(self.go, 4096)

    def close(self) -> None:
        self.signals.close()
        self.log.close()
        for descriptor in (self.go, self.end, self.launcher.end_fifo, self.launcher.log_fifo):
            os.close(descriptor)


@pytest.fixture(name="stage")
def stage_fixture(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def test_an_end_is_taken_as_it_is_told(stage: Stage) -> None:
    stage.say(b"S\nE 9 3\n")
    assert stage.play(100.0, 0.0) == Ending(-9, kills=3)
    assert stage.asked() == b"order"
    assert stage.asked() == b""


def test_a_launcher_that_does_not_answer_any_more_is_given_up(stage: Stage) -> None:
    with pytest.raises(AgentError, match="does not end, though it was killed"):
        stage.play(1.0, 100.0)
    assert stage.asked() == b"orderTK"


def test_a_step_that_ends_in_its_grace_is_not_killed(stage: Stage) -> None:
    def answer() -> None:
        while b"T" not in os.read(stage.go, 4096):
            pass
        stage.say(b"E 0 0\n")

    os.set_blocking(stage.go, True)
    answering = threading.Thread(target=answer)
    answering.start()
    assert stage.play(0.05, 0.001) == Ending(0, TIMEOUT)
    answering.join()
    assert stage.asked() == b""


def test_whoever_was_stopped_before_is_stopped_at_once(stage: Stage) -> None:
    stage.signals.stop()
    stage.say(b"S\n")
    answering = threading.Timer(0.1, lambda: stage.say(b"E 15 0\n"))
    answering.start()
    assert stage.play(100.0, 0.0) == Ending(-15, CANCELLED)
    answering.join()
    assert stage.asked() == b"orderT"


def test_an_order_that_nobody_hears_is_not_a_start(stage: Stage) -> None:
    os.close(stage.go)
    with pytest.raises(ContainerLost):
        stage.play(100.0, 0.0)
    stage.go = os.open(stage.control / "go", os.O_RDONLY | os.O_NONBLOCK)


def test_somebody_who_goes_on_printing_does_not_keep_the_end_from_coming(stage: Stage) -> None:
    stop = threading.Event()
    log = os.open(stage.control / "log", os.O_WRONLY | os.O_NONBLOCK)

    def print_on() -> None:
        while not stop.is_set():
            try:
                os.write(log, b"more\n" * 10_000)
            except BlockingIOError:
                continue

    printing = threading.Thread(target=print_on)
    printing.start()
    stage.say(b"S\nE 0 0\n")
    assert stage.play(100.0, 0.0) == Ending(0)
    stop.set()
    printing.join()
    os.close(log)
