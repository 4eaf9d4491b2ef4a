"""`/api/v1/runs`: what ran and how it went, live if it still runs, and asking for more."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.states import RunStatus
from runner.api import events, run_commands
from runner.api.access import Gate, Visitor, repository_of, run_of
from runner.api.answers import answer, live
from runner.api.bodies import Fields, Parameters, fields_of, parameters_of, with_body
from runner.api.errors import BadParameter
from runner.api.events import Pace, Silence
from runner.api.run_commands import Mode
from runner.api.run_view import RunView, brief, full, load, reload, version
from runner.database import repositories, runs
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.services import Services
from runner.tokens import Scope

_LONGEST_KEY = 255


class RunPage(Parameters):
    """Which runs are listed; `before` is the id of a run that all of them are older than."""

    repository: str | None = None
    branch: Annotated[str, Field(max_length=1024)] | None = None
    status: RunStatus | None = None
    number: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[str, Field(pattern=r"^[0-9a-z]{1,64}$")] | None = None


class Rerun(Fields):
    """Which steps are run again."""

    mode: Mode


@dataclass(frozen=True)
class Runs:
    """The endpoints."""

    services: Services
    gate: Gate
    pace: Pace

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/runs"
        return [
            Route(place, self.listing),
            Route(f"{place}/{{id}}", self.show),
            Route(f"{place}/{{id}}/rerun", with_body(self.rerun), methods=["POST"]),
            Route(f"{place}/{{id}}/cancel", self.cancel, methods=["POST"]),
            Route(f"{place}/{{id}}/stream", self.stream),
        ]

    def listing(self, request: Request) -> Response:
        """Answer with the runs that the visitor may see, newest first."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, RunPage)
        if asked.number is not None and asked.repository is None:
            message = "a number alone names no run"
            raise BadParameter(message, cure="give the repository that the run belongs to")
        with self.services.database.read() as tx:
            found = listed(tx, visitor, asked)
        base = self.services.settings.url
        return answer({"runs": [brief(run, owner, base) for run, owner in found]})

    def show(self, request: Request) -> Response:
        """Answer with one run, its steps and their attempts."""
        return answer(full(self._view(request), self.services.settings.url))

    def rerun(self, request: Request, body: bytes) -> Response:
        """Ask for another round of an ended run."""
        visitor = self.gate.visitor(request)
        key = request.headers.get("idempotency-key", "")
        if len(key) > _LONGEST_KEY:
            message = f"the Idempotency-Key is longer than {_LONGEST_KEY} characters"
            raise BadParameter(message, cure="send a shorter one")
        run_id = request.path_params["id"]
        self._check_may_write(visitor, run_id)
        asked = fields_of(request, body, Rerun)
        view = run_commands.rerun(self.services, visitor, run_id, asked.mode, key)
        return answer(full(view, self.services.settings.url), 202)

    def cancel(self, request: Request) -> Response:
        """Ask for a run's end."""
        visitor = self.gate.visitor(request)
        view = run_commands.cancel(self.services, visitor, request.path_params["id"])
        return answer(full(view, self.services.settings.url), 202)

    async def stream(self, request: Request) -> Response:
        """Answer with the run, and again whenever it has changed, until it has ended."""
        view = await run_in_threadpool(self._view, request)
        return live(request, self._news(view.run.id), events.MEDIA_TYPE)

    def _check_may_write(self, visitor: Visitor, run_id: str) -> None:
        with self.services.database.read() as tx:
            run_of(tx, visitor, run_id, Scope.WRITE)

    def _view(self, request: Request) -> RunView:
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            run, repository = run_of(tx, visitor, request.path_params["id"])
            return load(tx, run, repository)

    def _reload(self, run_id: str) -> RunView | None:
        with self.services.database.read() as tx:
            return reload(tx, run_id)

    async def _news(self, run_id: str) -> AsyncIterator[bytes]:
        seen = ""
        silence = Silence(self.pace.heartbeat)
        with self.services.feed.watch(run_id) as subscription:
            while True:
                view = await run_in_threadpool(self._reload, run_id)
                now = version(view) if view is not None else seen
                if view is not None and now != seen:
                    seen = now
                    silence.broken()
                    yield events.event("run", full(view, self.services.settings.url), seen)
                if view is None or view.settled:
                    yield events.END
                    return
                news = await subscription.wait(self.pace.run)
                if not news and silence.too_long(self.pace.run):
                    yield events.HEARTBEAT


def listed(tx: Connection, visitor: Visitor, asked: RunPage) -> list[tuple[Run, Repository]]:
    """Return the runs that a visitor may see, newest first, each with its repository.

    Raises `NotFound` for a repository that the visitor may not see.
    """
    if asked.repository is not None:
        owner = repository_of(tx, visitor, asked.repository)
        return [(run, owner) for run in _of_one(tx, owner, asked)]
    readable = {one.id: one for one in repositories.listing(tx) if visitor.may_read(one)}
    if visitor.may(Scope.READ):
        found = _page(tx, None, asked)
    else:
        pages = [_page(tx, one, asked) for one in readable]
        newest_first = heapq.merge(*pages, key=lambda run: run.id, reverse=True)
        found = list(islice(newest_first, asked.limit))
    return [(run, readable[run.repository_id]) for run in found if run.repository_id in readable]


def _of_one(tx: Connection, owner: Repository, asked: RunPage) -> list[Run]:
    if asked.number is None:
        return _page(tx, owner.id, asked)
    run = runs.numbered(tx, owner.id, asked.number)
    fits = run is not None and all(
        (
            asked.branch in (None, run.branch),
            asked.status in (None, run.status),
            asked.before is None or run.id < asked.before,
        )
    )
    return [run] if run is not None and fits else []


def _page(tx: Connection, repository_id: int | None, asked: RunPage) -> list[Run]:
    return runs.page(
        tx,
        repository_id,
        branch=asked.branch,
        status=asked.status,
        before=asked.before,
        limit=asked.limit,
    )
