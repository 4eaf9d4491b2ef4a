"""`/deliveries/{id}/progress`: what the pusher of a plain `git push` sees while the runs go on.

The id of a delivery is random, and only its sender is told: whoever knows it may follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.durations import format_duration
from pipelines.states import State
from runner.api.access import is_id
from runner.api.answers import live
from runner.api.errors import NotFound
from runner.api.events import Pace
from runner.api.headers import SANDBOX
from runner.api.run_view import RunView, reload
from runner.database import deliveries
from runner.database.deliveries import Change
from runner.database.steps import Step
from runner.services import Services
from webhooks.refs import short
from webhooks.statuses import describe
from webhooks.texts import line

_SIGNS = {State.SUCCESS: "✓", State.FAILURE: "✗", State.ERROR: "✗"}
_LONGEST = 300


@dataclass(frozen=True)
class Glance:
    """A delivery at one moment: what became of each change, and the runs that there are."""

    changes: tuple[Change, ...]
    views: tuple[RunView, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return all(view.run.status.terminal for view in self.views)


@dataclass
class Teller:
    """Says everything once, in lines of text; `base_url` is what addresses begin with."""

    base_url: str
    _said: set[tuple[str, str]] = field(default_factory=set)

    def news(self, glance: Glance) -> list[str]:
        """Return the lines that were not said before."""
        several = len(glance.views) > 1
        told = [self._no_run(change) for change in glance.changes if not change.run_id]
        for view in glance.views:
            told += self._run(view, f"#{view.run.number} " if several else "")
        fresh = [(key, text) for key, text in told if text and key not in self._said]
        self._said.update(key for key, _ in fresh)
        return [line(text, _LONGEST) for _, text in fresh]

    def _no_run(self, change: Change) -> tuple[tuple[str, str], str]:
        text = f"{short(change.ref)}: no run: {change.reason}" if change.reason else ""
        return (str(change.position), "no run"), text

    def _run(self, view: RunView, prefix: str) -> Iterator[tuple[tuple[str, str], str]]:
        run = view.run
        if view.steps:
            count = len(view.steps)
            steps = "1 step" if count == 1 else f"{count} steps"
            text = f"run {run.number} of {short(run.ref)}: {steps}"
            yield (run.id, "planned"), text
        for number, error in enumerate(view.errors):
            yield (run.id, f"error {number}"), f"{prefix}✗ {error}"
        ended = [step for step in view.steps if step.state.terminal]
        for step in sorted(ended, key=lambda step: (step.ended_at or 0.0, step.position)):
            yield (run.id, f"step {step.name}"), prefix + step_line(step)
        for number, warning in enumerate(() if view.errors else run.warnings):
            yield (run.id, f"warning {number}"), f"{prefix}! {warning}"
        if run.status.terminal:
            yield (run.id, "end"), f"{prefix}{_verdict(view)} {self.base_url}/runs/{run.id}"


def step_line(step: Step) -> str:
    """Return how a step that has ended went: `✓ lint 1.2 s`, `✗ test exited with 1 3.4 s`."""
    lasted = _lasted(step.started_at, step.ended_at)
    match step.state:
        case State.SUCCESS:
            return f"✓ {step.name}{lasted}"
        case State.FAILURE | State.ERROR:
            why = step.reason or step.state
            allowed = " (allowed to fail)" if step.allow_failure else ""
            return f"{_SIGNS[step.state]} {step.name} {why}{allowed}{lasted}"
        case _:
            why = f": {step.reason}" if step.reason else ""
            return f"\N{EN DASH} {step.name} {step.state}{why}"


def _verdict(view: RunView) -> str:
    counts: dict[State, int] = {}
    for step in view.steps:
        counts[step.state] = counts.get(step.state, 0) + 1
    run = view.run
    since = run.created_at if run.started_at is None else run.started_at
    lasted = None if run.ended_at is None else run.ended_at - since
    return describe(run.status, counts, run.reason, lasted)


def _lasted(started_at: float | None, ended_at: float | None) -> str:
    if started_at is None or ended_at is None:
        return ""
    return f" {format_duration(max(ended_at - started_at, 0.0))}"


@dataclass(frozen=True)
class Progress:
    """The endpoint."""

    services: Services
    pace: Pace

    def routes(self) -> list[Route]:
        """Return the route of this resource."""
        return [Route("/deliveries/{id}/progress", self.show)]

    async def show(self, request: Request) -> Response:
        """Answer with lines of text until all runs of the delivery have ended."""
        delivery_id = request.path_params["id"]
        if await run_in_threadpool(self._glance, delivery_id) is None:
            raise NotFound("there is no such delivery", cure="use the address from its receipt")
        return live(request, self._lines(delivery_id), "text/plain; charset=utf-8", SANDBOX)

    def _glance(self, delivery_id: str) -> Glance | None:
        with self.services.database.read() as tx:
            if not is_id(delivery_id) or deliveries.find(tx, delivery_id) is None:
                return None
            changes = deliveries.changes_of(tx, delivery_id)
            ids = dict.fromkeys(change.run_id for change in changes if change.run_id)
            views = [reload(tx, run_id) for run_id in ids]
        return Glance(tuple(changes), tuple(view for view in views if view is not None))

    async def _lines(self, delivery_id: str) -> AsyncIterator[bytes]:
        teller = Teller(self.services.settings.url)
        while (glance := await run_in_threadpool(self._glance, delivery_id)) is not None:
            for text in teller.news(glance):
                yield f"{text}\n".encode("utf-8", "replace")
            if glance.over:
                return
            await asyncio.sleep(self.pace.log)
