"""What the page of a run shows of each step: how it stands, what it left, the end of its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.states import State
from runner.api.paths import encoded
from runner.api.run_view import RunView, artifact_path, log_path
from runner.database.attempts import Attempt
from runner.database.steps import Step
from runner.executors.base import AttemptId
from runner.logs import LogBook, LogLine
from runner.web.ansi import PLAIN, render
from runner.web.drawing import anchor
from runner.web.words import offset, phrase, tone

LINES = 500
LINES_ON_PAGE = 4000
_OPEN = frozenset({State.FAILURE, State.ERROR})
_GOES_ON = frozenset({State.RUNNING, State.RETRYING, State.QUEUED})


@dataclass(frozen=True)
class Row:
    """A line of a log on the page; `anchor` is its id there."""

    number: int
    anchor: str
    offset: str
    at: float
    html: Markup


@dataclass(frozen=True)
class Shown:
    """The end of a log; `address` is where all of it is served as text.

    `follow` is where its next lines are asked for, empty once there are none to come.
    `left_out` says that the page is long enough without it.
    """

    rows: tuple[Row, ...]
    address: str
    follow: str = ""
    left_out: bool = False

    @property
    def cut(self) -> int:
        """How many lines before the first one are not shown."""
        return self.rows[0].number - 1 if self.rows else 0


@dataclass(frozen=True)
class File:
    """An artifact on the page."""

    path: str
    size: int
    address: str


@dataclass(frozen=True)
class Try:
    """An attempt before the latest, on the page."""

    attempt: Attempt
    address: str


@dataclass(frozen=True)
class Beside:
    """A service of a step on the page; `address` is where its log is served as text."""

    name: str
    address: str


@dataclass(frozen=True)
class Panel:
    """A step on the page."""

    step: Step
    anchor: str
    tone: str
    phrase: str
    open: bool
    attempt: Attempt | None
    earlier: tuple[Try, ...]
    files: tuple[File, ...]
    services: tuple[Beside, ...]
    log: Shown | None


def panels(view: RunView, logbook: LogBook) -> list[Panel]:
    """Return the panels of a run in the order of its steps.

    The page's lines are given to what failed first, then to what runs, then to the others.
    """
    left = LINES_ON_PAGE
    logs: dict[str, Shown | None] = {}
    for step in sorted(view.steps, key=_urgency):
        shown = _shown(view, step, logbook, min(left, LINES))
        left -= len(shown.rows) if shown else 0
        logs[step.name] = shown
    return [_panel(view, step, logs[step.name]) for step in view.steps]


def rows(lines: Iterable[LogLine], step: Step, began: float | None) -> tuple[Row, ...]:
    """Return lines as they stand on the page, their times counted from `began`."""
    found: list[Row] = []
    style = PLAIN
    for line in lines:
        html, style = render(line.text, style)
        since = line.at - (line.at if began is None else began)
        name = f"{anchor(step)}-L{line.number}"
        found.append(Row(line.number, name, offset(since), line.at, html))
    return tuple(found)


def tail(logbook: LogBook, attempt: AttemptId, limit: int, first: int = 1) -> deque[LogLine]:
    """Return the last lines of a log, none before the line `first`."""
    return deque(logbook.read(attempt, first), maxlen=limit)


def latest(view: RunView, step: Step) -> Attempt | None:
    """Return the attempt that a step's state tells of; None before its first."""
    return next((a for a in view.attempts.get(step.name, ()) if a.number == step.attempt), None)


def _urgency(step: Step) -> tuple[int, int]:
    rank = 0 if step.state in _OPEN else 1 if step.state in _GOES_ON else 2
    return rank, step.position


def _shown(view: RunView, step: Step, logbook: LogBook, limit: int) -> Shown | None:
    attempt = latest(view, step)
    if attempt is None:
        return None
    address = log_path(view.run.id, step.name, attempt.number)
    follow = "" if attempt.ended_at is not None else _follow(view.run.id, step, attempt.number)
    if limit <= 0:
        return Shown((), address, follow, left_out=True)
    lines = tail(logbook, AttemptId(view.run.id, step.name, attempt.number), limit)
    return Shown(rows(lines, step, attempt.started_at), address, follow)


def _follow(run_id: str, step: Step, number: int) -> str:
    return f"/runs/{run_id}/steps/{encoded(step.name)}/lines?attempt={number}"


def _services(view: RunView, step: Step) -> tuple[Beside, ...]:
    """Return the services of a step whose logs are kept by now, as they are once it has ended."""
    attempt = latest(view, step)
    if attempt is None or attempt.ended_at is None:
        return ()
    names = step.services or ()
    return tuple(
        Beside(name, log_path(view.run.id, step.name, attempt.number, name)) for name in names
    )


def _panel(view: RunView, step: Step, log: Shown | None) -> Panel:
    run_id = view.run.id
    files = tuple(
        File(one.path, one.size, artifact_path(run_id, step.name, one.path, step.attempt or None))
        for one in step.artifacts
    )
    earlier = tuple(
        Try(attempt, log_path(run_id, step.name, attempt.number))
        for attempt in view.attempts.get(step.name, ())
        if attempt.number != step.attempt
    )
    return Panel(
        step=step,
        anchor=anchor(step),
        tone=tone(step),
        phrase=phrase(step),
        open=step.state in _OPEN or step.state is State.RUNNING,
        attempt=latest(view, step),
        earlier=earlier,
        files=files,
        services=_services(view, step),
        log=log,
    )
