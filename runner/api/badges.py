"""`/badges/{name}.svg`: how a branch stands, for a README; webhooks.badges draws it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.states import RunStatus, State
from runner.api.access import Gate, Visitor, repository_of
from runner.api.errors import NotFound
from runner.database import repositories, runs, steps
from runner.database.repositories import Repository
from runner.services import Services
from webhooks import badges

# GitHub's image proxy keeps an image unless all of this says that it must not.
_HEADERS = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
# A step that did not run (skipped, blocked) says nothing about the branch.
_OF_STATE: Mapping[State, RunStatus] = {
    State.PENDING: RunStatus.QUEUED,
    State.QUEUED: RunStatus.QUEUED,
    State.RUNNING: RunStatus.RUNNING,
    State.RETRYING: RunStatus.RUNNING,
    State.SUCCESS: RunStatus.SUCCESS,
    State.FAILURE: RunStatus.FAILURE,
    State.ERROR: RunStatus.ERROR,
    State.CANCELLED: RunStatus.CANCELLED,
}
LABEL = "build"


@dataclass(frozen=True)
class Badges:
    """The endpoint. What a visitor may not know of looks exactly like what is not there."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the route of this resource."""
        return [Route("/badges/{name:path}.svg", self.show)]

    def show(self, request: Request) -> Response:
        """Answer with the badge of a branch, or of one step of it."""
        asked = request.query_params
        step = asked.get("step", "")
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            found = _repository(tx, visitor, request.path_params["name"], asked.get("key", ""))
            status = _status(tx, found, asked.get("branch", ""), step) if found else None
        return _answer(request, badges.badge(step or LABEL, status))


def _repository(tx: Connection, visitor: Visitor, name: str, key: str) -> Repository | None:
    try:
        return repository_of(tx, visitor, name)
    except NotFound:
        pass
    hidden = repositories.named(tx, name)
    if hidden and hmac.compare_digest(hidden.badge_key.encode(), key.encode("utf-8", "replace")):
        return hidden
    return None


def _status(tx: Connection, repository: Repository, branch: str, step: str) -> RunStatus | None:
    """Return how the newest run that has ended went; only without any, how the newest goes."""
    name = branch or repository.default_branch
    run = runs.latest(tx, repository.id, name, ended=True)
    run = run or runs.latest(tx, repository.id, name)
    if run is None or not step:
        return run.status if run else None
    found = steps.find(tx, run.id, step)
    if found is None:
        return None
    if found.allow_failure and found.state in (State.FAILURE, State.ERROR):
        return RunStatus.WARNING
    return _OF_STATE.get(found.state)


def _answer(request: Request, svg: str) -> Response:
    tag = badges.etag(svg)
    headers = {**_HEADERS, "ETag": tag}
    known = request.headers.get("if-none-match", "")
    if tag in [one.strip().removeprefix("W/") for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    body = svg.encode("utf-8", "replace")
    return Response(body, headers=headers, media_type="image/svg+xml")
