"""What `hookline run` shows while it goes on: lines for people, or JSON for programs.

The third display, which redraws itself at the bottom of a terminal, is `runner/cli/live.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, assert_never

from pipelines.progress import StepProgress
from pipelines.states import RunStatus
from runner.cli import results
from runner.cli.narration import Began, Ended, Happening, Line, Retried, Warned
from runner.cli.signs import icon
from runner.cli.terminal import first_line, shown

Steps: TypeAlias = Mapping[str, StepProgress]
Echo: TypeAlias = Callable[[str], None]


class Display(Protocol):
    """Shows a run; it is told everything in order, and how the steps stand after each look."""

    def tell(self, happening: Happening) -> None:
        """Show one thing that happened."""

    def stand(self, steps: Steps) -> None:
        """Take note of how the steps stand now."""

    def note(self, text: str) -> None:
        """Show a word to the person at the keyboard."""

    def end(self, steps: Steps, status: RunStatus, seconds: float) -> None:
        """Show how the run came out, and nothing after that."""

    def close(self) -> None:
        """Leave the screen in order, also when there was no end."""


class PlainDisplay:
    """One line for everything that happens; `width` cuts the table at the end."""

    def __init__(self, echo: Echo, *, colours: bool = False, width: int | None = None) -> None:
        self._echo = echo
        self._colours = colours
        self._width = width

    def tell(self, happening: Happening) -> None:
        """Print what happened in one line."""
        self._echo(told(happening, colours=self._colours))

    def stand(self, steps: Steps) -> None:
        """Lines that are printed do not change any more."""

    def note(self, text: str) -> None:
        """Print a word to the person at the keyboard."""
        self._echo(text)

    def end(self, steps: Steps, status: RunStatus, seconds: float) -> None:
        """Print a table of the steps and the verdict."""
        self._echo("")
        for line in results.summary(steps, self._width):
            self._echo(line)
        self._echo("")
        self._echo(results.verdict(status, seconds))

    def close(self) -> None:
        """There is nothing to put in order."""


class JsonDisplay:
    """One JSON object a line; the last one is the result."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo

    def tell(self, happening: Happening) -> None:
        """Print what happened as one JSON object."""
        self._print(_record(happening))

    def stand(self, steps: Steps) -> None:
        """Programs follow the events."""

    def note(self, text: str) -> None:
        """Print a word as a JSON object."""
        self._print({"note": text})

    def end(self, steps: Steps, status: RunStatus, seconds: float) -> None:
        """Print the result."""
        self._print(results.record_of(steps, status, seconds))

    def close(self) -> None:
        """There is nothing to put in order."""

    def _print(self, record: Mapping[str, Any]) -> None:
        self._echo(json.dumps(record, ensure_ascii=False))


def told(happening: Happening, *, colours: bool) -> str:
    """Return what happened as a line for people."""
    match happening:
        case Began():
            again = f" (attempt {happening.attempt})" if happening.attempt > 1 else ""
            return f"{icon('running')} {happening.step}{again}"
        case Line():
            return f"{happening.step} | {shown(happening.text, colours=colours)}"
        case Retried():
            why = first_line(happening.attempt.message)
            return f"{icon('retrying')} {happening.step}: {why}; it is tried again"
        case Ended():
            return _ending(happening.step, happening.progress)
        case Warned():
            return f"{icon('warning')} {first_line(happening.text)}"
        case _:
            assert_never(happening)


def _ending(name: str, step: StepProgress) -> str:
    time, reason = results.time_of(step), first_line(step.reason)
    line = f"{icon(step.state)} {name}{' ' + time if time else ''}"
    return f"{line}: {reason}" if reason else line


def _record(happening: Happening) -> dict[str, Any]:
    match happening:
        case Began():
            return {"step": happening.step, "state": "running", "attempt": happening.attempt}
        case Line():
            return {
                "step": happening.step,
                "attempt": happening.attempt,
                "number": happening.number,
                "at": happening.at,
                "line": happening.text,
            }
        case Retried():
            attempt = happening.attempt
            return {
                "step": happening.step,
                "state": "retrying",
                "attempt": attempt.number,
                "cause": attempt.cause,
                "reason": attempt.message,
                "exit_code": attempt.exit_code,
            }
        case Ended():
            return _end_record(results.result_of(happening.step, happening.progress))
        case Warned():
            return {"warning": happening.text}
        case _:
            assert_never(happening)


def _end_record(result: results.StepResult) -> dict[str, Any]:
    return {
        "step": result.name,
        "state": result.status,
        "attempt": result.attempts,
        "cause": result.cause,
        "reason": result.reason,
        "exit_code": result.exit_code,
    }
