"""The display of `hookline run` on a terminal: log lines scroll, the graph stays at the bottom."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pipelines.durations import format_duration
from pipelines.plan import Plan
from pipelines.progress import StepProgress
from pipelines.states import RunStatus, State
from runner.cli import results
from runner.cli.displays import Steps, told
from runner.cli.drawing import tree
from runner.cli.narration import Happening
from runner.cli.signs import icon, signed

_OFTEN = 8
"""How many times a second the bottom is drawn anew."""


class LiveDisplay:
    """Shows a run of a plan on a console; `now` is seconds since the epoch."""

    def __init__(self, console: Console, plan: Plan, now: Callable[[], float]) -> None:
        self._console = console
        self._plan = plan
        self._now = now
        self._began = now()
        self._steps: Steps = {}
        self._live = Live(
            console=console,
            get_renderable=self.bottom,
            refresh_per_second=_OFTEN,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def tell(self, happening: Happening) -> None:
        """Print what happened above the graph."""
        self.note(told(happening, colours=True))

    def stand(self, steps: Steps) -> None:
        """Let the graph show how the steps stand."""
        self._steps = steps

    def note(self, text: str) -> None:
        """Print a line above the graph."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def end(self, steps: Steps, status: RunStatus, seconds: float) -> None:
        """Put a table of the steps and the verdict in the graph's place."""
        self.close()
        self.note("")
        for line in results.summary(steps, self._console.width):
            self.note(line)
        self.note("")
        self.note(results.verdict(status, seconds))

    def close(self) -> None:
        """Take the graph from the screen."""
        self._live.stop()

    def bottom(self) -> Group:
        """Return what stands at the bottom now: the graph, and how far the run is."""
        lines = ["", *self._lines(max(self._console.height - 4, 3)), self._head()]
        return Group(*(Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def _lines(self, room: int) -> list[str]:
        """Return the graph, or, where it does not fit, the steps that something happens to."""
        if len(self._plan.steps) <= room:
            needs = {name: step.needs for name, step in self._plan.steps.items()}
            return tree(needs, {name: self._label(name) for name in needs})
        busy = [name for name, step in self._steps.items() if _busy(step)]
        return [self._label(name) for name in busy[:room]]

    def _head(self) -> str:
        ended = sum(step.state.terminal for step in self._steps.values())
        lasted = format_duration(round(max(self._now() - self._began, 0.0)))
        return signed("running", f"{ended} of {len(self._plan.steps)} steps ended, {lasted}")

    def _label(self, name: str) -> str:
        step = self._steps.get(name)
        if step is None:
            return f"{icon(State.PENDING)} {name}"
        time = self._time(step)
        return f"{icon(step.state)} {name}{'  ' + time if time else ''}"

    def _time(self, step: StepProgress) -> str:
        attempt = step.attempt
        if step.state is State.RUNNING and attempt and attempt.started_at is not None:
            return format_duration(round(max(self._now() - attempt.started_at, 0.0)))
        return results.time_of(step)


def _busy(step: StepProgress) -> bool:
    return step.state in (State.RUNNING, State.QUEUED, State.RETRYING)
