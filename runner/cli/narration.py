"""Makes of the looks at a run a story: each beginning, line and end once, and in an order that reads.

A look shows how things stand, not what happened, and the log is read before it. So a step's end is
told one look after it is seen, when its last lines have surely come, but before anything that
waited for it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pipelines.progress import Attempt, StepProgress
from pipelines.states import State

if TYPE_CHECKING:
    from runner.local_run import Update


@dataclass(frozen=True)
class Began:
    """An attempt of a step runs, or was at least heard of."""

    step: str
    attempt: int


@dataclass(frozen=True)
class Line:
    """A line of an attempt's log; `at` is seconds since the epoch."""

    step: str
    attempt: int
    number: int
    at: float
    text: str


@dataclass(frozen=True)
class Retried:
    """An attempt ended, and the step is tried again."""

    step: str
    attempt: Attempt


@dataclass(frozen=True)
class Ended:
    """A step came to its end, perhaps without having run."""

    step: str
    progress: StepProgress


@dataclass(frozen=True)
class Warned:
    """Something about the run that is worth knowing."""

    text: str


Happening: TypeAlias = Began | Line | Retried | Ended | Warned


@dataclass
class _Told:
    """What has been told of a step: up to which attempt it began, and up to which it failed."""

    begun: int = 0
    retried: int = 0
    ended: bool = False


@dataclass
class Narrator:
    """Takes one look after another; `finish` tells what is left when there are no more."""

    _steps: Mapping[str, StepProgress] = field(default_factory=dict)
    _told: dict[str, _Told] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)
    _warnings: set[str] = field(default_factory=set)

    def take(self, update: Update) -> Iterator[Happening]:
        """Yield what this look has that the ones before had not."""
        self._steps = update.steps
        yield from self._warned(update.warnings)
        lines = [Line(step, number, x.number, x.at, x.text) for step, number, x in update.lines]
        for line in lines:
            if line.step in self._over:
                yield from self._line(line)
        for name in sorted(self._over, key=list(self._steps).index):
            yield from self._end(name)
        for line in lines:
            if line.step not in self._over:
                yield from self._line(line)
        for name, step in self._steps.items():
            if not step.state.terminal:
                yield from self._attempts(name)
        self._over = {
            name
            for name, step in self._steps.items()
            if step.state.terminal and not self._of(name).ended
        }

    def finish(self) -> Iterator[Happening]:
        """Yield the ends that have not been told yet."""
        for name, step in self._steps.items():
            if step.state.terminal:
                yield from self._end(name)

    def _warned(self, warnings: Iterable[str]) -> Iterator[Warned]:
        for text in warnings:
            if text not in self._warnings:
                self._warnings.add(text)
                yield Warned(text)

    def _line(self, line: Line) -> Iterator[Happening]:
        yield from self._begin(line.step, line.attempt)
        yield line

    def _attempts(self, name: str) -> Iterator[Happening]:
        """Tell of the attempts of a step that have started or failed since."""
        step = self._steps[name]
        for attempt in list(step.attempts):
            if attempt.started_at is not None:
                yield from self._begin(name, attempt.number)
            if attempt.outcome is not None and not _is_last(step, attempt):
                yield from self._retry(name, attempt)

    def _begin(self, name: str, number: int) -> Iterator[Happening]:
        told = self._of(name)
        if number <= told.begun:
            return
        for need in self._steps[name].planned.needs:
            yield from self._end(need)
        for attempt in list(self._steps[name].attempts)[: number - 1]:
            yield from self._retry(name, attempt)
        told.begun = number
        yield Began(name, number)

    def _retry(self, name: str, attempt: Attempt) -> Iterator[Happening]:
        told = self._of(name)
        if attempt.number > told.retried:
            told.retried = attempt.number
            yield Retried(name, attempt)

    def _end(self, name: str) -> Iterator[Happening]:
        told = self._of(name)
        if told.ended:
            return
        yield from self._attempts(name)
        told.ended = True
        yield Ended(name, self._steps[name])

    def _of(self, name: str) -> _Told:
        return self._told.setdefault(name, _Told())


def _is_last(step: StepProgress, attempt: Attempt) -> bool:
    return attempt.number == len(step.attempts) and step.state is not State.RETRYING
