"""Carries a local run through to its end: looks become a story, Ctrl-C a wish to end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipelines.progress import StepProgress
from pipelines.states import RunStatus
from runner.cli.displays import Display
from runner.cli.exits import ExitCode
from runner.cli.interrupts import Interrupts
from runner.cli.narration import Narrator

if TYPE_CHECKING:
    from runner.local_run import Update


class Watchable(Protocol):
    """What is asked of a local run, `runner.local_run.LocalRun` above all."""

    def watch(self) -> Iterator[Update]:
        """Yield how things stand until the run ends."""
        ...

    def cancel(self) -> None:
        """Ask the run to end."""
        ...

    def copy_artifacts(self, step: str, into: Path) -> list[Path]:
        """Write a step's artifacts below a folder; return where they are."""
        ...


def carry_out(
    run: Watchable, display: Display, monotonic: Callable[[], float], artifacts: Path | None
) -> ExitCode:
    """Show a run until it has ended; return the exit code.

    With `artifacts` each step's files are written to a folder of its own below that one. Raises
    KeyboardInterrupt at the second Ctrl-C.
    """
    interrupts = Interrupts(run.cancel)
    began = monotonic()
    try:
        with interrupts.caught():
            steps, status = _watched(run, display, interrupts)
        if artifacts is not None:
            _fetch(run, steps, artifacts, display)
        display.end(steps, status, monotonic() - began)
    finally:
        display.close()
    return exit_code(status, interrupted=interrupts.count > 0)


def exit_code(status: RunStatus, *, interrupted: bool) -> ExitCode:
    """Return what the shell is told of a run that ended so."""
    if status in (RunStatus.SUCCESS, RunStatus.WARNING):
        return ExitCode.OK
    if interrupted and status is RunStatus.CANCELLED:
        return ExitCode.INTERRUPTED
    return ExitCode.RUN_FAILED


def _watched(
    run: Watchable, display: Display, interrupts: Interrupts
) -> tuple[Mapping[str, StepProgress], RunStatus]:
    narrator = Narrator()
    steps: Mapping[str, StepProgress] = {}
    status, said = RunStatus.QUEUED, False
    for update in run.watch():
        steps, status = update.steps, update.status
        for happening in narrator.take(update):
            display.tell(happening)
        display.stand(steps)
        if interrupts.count and not said:
            said = True
            display.note("cancelling: steps are asked to end; press Ctrl-C again to give up")
    for happening in narrator.finish():
        display.tell(happening)
    return steps, status


def _fetch(run: Watchable, steps: Mapping[str, StepProgress], into: Path, display: Display) -> None:
    for name, folder in folders_of(steps).items():
        written = run.copy_artifacts(name, into / folder)
        if written:
            files = "file" if len(written) == 1 else "files"
            display.note(f"{name}: {len(written)} {files} in {into / folder}")


def folders_of(steps: Iterable[str]) -> dict[str, str]:
    """Return for every step a name that a folder can have, no two alike on any file system."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for step in steps:
        plain = re.sub(r"[^A-Za-z0-9._=-]+", "-", step).strip("-.") or "step"
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        found[step] = name
    return found
