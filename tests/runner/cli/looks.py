"""Runs for the displays: a real machine driven by hand, and a scripted twin of a local run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import loader, planning
from pipelines.events import Push
from pipelines.machine import Machine
from pipelines.plan import Plan
from pipelines.states import Cause, Outcome, RunStatus
from pipelines.stimuli import Began, CancelAsked, StepEnded, StepStarted, TimePassed
from runner.local_run import Update
from runner.logs import LogLine


def plan_of(text: str) -> Plan:
    """Return the plan of a pipeline file for a push to main."""
    return planning.plan(loader.load(text), Push(branch="main", commit="0" * 40))


@dataclass
class Hand:
    """Moves a machine on; `at` is the time, in seconds, which tests set."""

    plan: Plan
    at: float = 0.0
    lines: list[tuple[str, int, LogLine]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.machine = Machine(self.plan)
        self.machine.handle(Began(at=self.at, source="source"))

    def start(self, step: str, attempt: int = 1) -> None:
        """Let an attempt run."""
        self.machine.handle(StepStarted(at=self.at, step=step, attempt=attempt))

    def say(self, step: str, *texts: str, attempt: int = 1) -> None:
        """Let a step write lines."""
        before = sum(1 for name, number, _ in self.lines if (name, number) == (step, attempt))
        for number, text in enumerate(texts, start=before + 1):
            self.lines.append((step, attempt, LogLine(number, self.at, text)))

    def end(
        self, step: str, exit_code: int = 0, attempt: int = 1, **more: Mapping[str, str]
    ) -> None:
        """Let an attempt end by itself."""
        good = exit_code == 0
        told = StepEnded(
            at=self.at,
            step=step,
            attempt=attempt,
            outcome=Outcome.SUCCESS if good else Outcome.FAILURE,
            cause=Cause.NONE if good else Cause.EXIT_CODE,
            exit_code=exit_code,
            message="" if good else f"exit code {exit_code}",
            **more,  # type: ignore[arg-type]
        )
        self.machine.handle(told)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds
        self.machine.handle(TimePassed(at=self.at))

    def cancel(self) -> None:
        """Ask for the run's end."""
        self.machine.handle(CancelAsked(at=self.at))

    def look(self) -> Update:
        """Return how things stand, with the lines since the last look."""
        lines, self.lines = self.lines, []
        steps = dict(self.machine.steps)
        return Update(steps, lines, self.machine.status, self.warnings)


@dataclass
class ScriptedRun:
    """A local run that does what a script says; each item of it is followed by a look."""

    hand: Hand
    script: list[Callable[[], None]]
    artifacts: Mapping[str, list[str]] = field(default_factory=dict)
    cancelled: int = 0

    @property
    def plan(self) -> Plan:
        """The run's plan."""
        return self.hand.plan

    @property
    def status(self) -> RunStatus:
        """How the run stands."""
        return self.hand.machine.status

    def watch(self) -> Iterator[Update]:
        """Yield a look after everything that the script does."""
        for act in self.script:
            act()
            yield self.hand.look()

    def cancel(self) -> None:
        """Count that somebody asked for the end."""
        self.cancelled += 1

    def copy_artifacts(self, step: str, into: Path) -> list[Path]:
        """Write what the script says the step left."""
        written = []
        for name in self.artifacts.get(step, ()):
            into.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(step)
            written.append(into / name)
        return written
