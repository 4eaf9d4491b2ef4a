"""The web application: every route, and the one form that all errors have."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from runner.api.access import Gate
from runner.api.answers import problem
from runner.api.artifacts import Artifacts
from runner.api.badges import Badges
from runner.api.deliveries import Deliveries
from runner.api.errors import ApiError, InternalError, NotFound, Unavailable, WrongMethod
from runner.api.events import Pace
from runner.api.headers import SecurityHeaders
from runner.api.health import Health
from runner.api.hooks import Hooks
from runner.api.logs import Logs
from runner.api.progress import Progress
from runner.api.repositories import Repositories
from runner.api.runs import Runs
from runner.api.secrets import Secrets
from runner.api.tokens import Tokens
from runner.database.errors import DatabaseUnavailable
from runner.objects.base import ObjectStoreError
from runner.services import Services
from runner.web.errors import error_page
from runner.web.pages import Pages
from runner.web.static import static_files
from webhooks.receiver import Receiver

log = logging.getLogger("hookline.api")


def create_app(services: Services, receiver: Receiver, pace: Pace | None = None) -> Starlette:
    """Return the application of an instance; `pace` says how often its streams look for news."""
    app = Starlette(
        routes=routes(services, receiver, pace or Pace()),
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            ApiError: _refused,
            HTTPException: _unrouted,
            DatabaseUnavailable: _unavailable,
            ObjectStoreError: _unavailable,
            Exception: _broken,
        },
    )
    app.router.redirect_slashes = False
    return app


def routes(services: Services, receiver: Receiver, pace: Pace) -> list[BaseRoute]:
    """Return every route, those of the API first."""
    gate = Gate(services)
    return [
        *Repositories(services, gate).routes(),
        *Hooks(services, gate).routes(),
        *Secrets(services, gate).routes(),
        *Deliveries(services, gate).routes(),
        *Tokens(services, gate).routes(),
        *Runs(services, gate, pace).routes(),
        # Before the logs: an artifact may be called `log`.
        *Artifacts(services, gate).routes(),
        *Logs(services, gate, pace).routes(),
        *receiver.routes(),
        *Progress(services, pace).routes(),
        *Badges(services, gate).routes(),
        *Health(services).routes(),
        *Pages(services, gate).routes(),
        static_files(),
    ]


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - what it is registered for
    return _told(request, error)


def _unrouted(request: Request, error: Exception) -> Response:
    """Answer where no route was found: the router says so with its own exception."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return _told(request, WrongMethod(request.method, _allowed(request)))
    cure = "look the address up in docs/api.md"
    return _told(request, NotFound("there is nothing at this address", cure=cure))


def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("%s %s cannot be answered now: %s", request.method, request.url.path, error)
    return _told(request, Unavailable("what this needs is away", cure="try again in a moment"))


def _broken(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the server logs it
    message = "Hookline made a mistake; its log says which"
    return _told(request, InternalError(message, cure="tell whoever runs this instance"))


def _told(request: Request, error: ApiError) -> Response:
    """Return an error as JSON, or as a page for people at a browser."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith("/api/"):
        return error_page(request, error)
    return problem(error)


def _allowed(request: Request) -> str:
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE and isinstance(route, Route):
            methods |= route.methods or set()
    return ", ".join(sorted(methods)) or "GET, HEAD"
