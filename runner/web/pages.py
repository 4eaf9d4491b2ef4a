"""The pages of an instance: its newest runs, one run, and the way in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runner.api import attempts, run_commands, sessions
from runner.api.access import Gate, Visitor, run_of
from runner.api.bodies import Parameters, parameters_of, with_body
from runner.api.errors import BadField, WrongType
from runner.api.paths import EncodedRoute
from runner.api.run_commands import Mode
from runner.api.run_view import RunView, load, version
from runner.api.runs import RunPage, listed
from runner.services import Services
from runner.tokens import Scope
from runner.web.drawing import draw
from runner.web.panels import LINES, panels, rows, tail
from runner.web.rendering import page

ON_HOME = 40
_FORM = "application/x-www-form-urlencoded"
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


class LinesAsked(Parameters):
    """Which lines of a log are asked for."""

    attempt: Annotated[int, Field(ge=1, le=1_000_000)]
    first: Annotated[int, Field(ge=1, le=10**9)] = Field(1, alias="from")


@dataclass(frozen=True)
class Pages:
    """The endpoints."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            Route("/", self.home),
            Route("/login", self.login_form),
            Route("/login", with_body(self.login), methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
            Route("/runs/{id}", self.run),
            Route("/runs/{id}/rerun", with_body(self.rerun), methods=["POST"]),
            Route("/runs/{id}/cancel", self.cancel, methods=["POST"]),
            EncodedRoute("/runs/{id}/steps/{step}/lines", self.lines),
        ]

    def home(self, request: Request) -> Response:
        """Answer with the newest runs that the visitor may see."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, RunPage)
        limited = asked.model_copy(update={"limit": ON_HOME})
        with self.services.database.read() as tx:
            found = listed(tx, visitor, limited)
        older = _older(request, found[-1][0].id) if len(found) == ON_HOME else ""
        return page("home.html", visitor=visitor, found=found, asked=asked, older=older)

    def run(self, request: Request) -> Response:
        """Answer with everything about one run."""
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            view = load(tx, *run_of(tx, visitor, request.path_params["id"]))
            gone = run_commands.expired(tx, self.services, view)
        return page(
            "run.html",
            visitor=visitor,
            view=view,
            run=view.run,
            graph=draw(view.steps),
            panels=panels(view, self.services.logbook),
            actions=_actions(view, visitor, again=gone is None),
            gone=gone,
            version=version(view),
            commit_url=_commit_url(view),
            now=self.services.clock.now(),
            lines_shown=LINES,
        )

    def lines(self, request: Request) -> Response:
        """Answer with the lines of a log from a number on, as they stand on the page of the run."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, LinesAsked)
        with self.services.database.read() as tx:
            run, _ = run_of(tx, visitor, request.path_params["id"])
            found = attempts.find(tx, run.id, request.path_params["step"], asked.attempt)
        assert found.id is not None and found.attempt is not None  # noqa: S101,PT018 - by number
        new = tail(self.services.logbook, found.id, LINES, asked.first)
        return page("lines.html", rows=rows(new, found.step, found.attempt.started_at))

    def rerun(self, request: Request, body: bytes) -> Response:
        """Ask for another round of a run, and show it."""
        visitor = self.gate.visitor(request)
        wanted = _form(request, body).get("mode", "")
        if wanted not in list(Mode):
            raise BadField("there is no such mode", cure=f"the modes are {', '.join(Mode)}")
        run_id = request.path_params["id"]
        run_commands.rerun(self.services, visitor, run_id, Mode(wanted))
        return _seen(f"/runs/{run_id}")

    def cancel(self, request: Request) -> Response:
        """Ask for the end of a run, and show it."""
        visitor = self.gate.visitor(request)
        run_id = request.path_params["id"]
        run_commands.cancel(self.services, visitor, run_id)
        return _seen(f"/runs/{run_id}")

    def login_form(self, request: Request) -> Response:
        """Answer with the form that takes a token."""
        visitor = self.gate.visitor(request)
        return page("login.html", visitor=visitor, wrong=False, next=_next(request.query_params))

    def login(self, request: Request, body: bytes) -> Response:
        """Begin a session for whoever has a token."""
        self.gate.check_origin(request)
        form = _form(request, body)
        token = self.gate.recognised(form.get("token", "").strip())
        if token is None:
            return page("login.html", 401, visitor=None, wrong=True, next=_next(form))
        answer = _seen(_next(form))
        url, now = self.services.settings.url, self.services.clock.now()
        sessions.begin(answer, self.services.keyring, url, token, now)
        return answer

    def logout(self, request: Request) -> Response:
        """End the session."""
        self.gate.check_origin(request)
        answer = _seen("/")
        sessions.end(answer, self.services.settings.url)
        return answer


def _actions(view: RunView, visitor: Visitor, *, again: bool) -> frozenset[str]:
    """Return what the visitor can ask of the run: `all`, `failed` (if `again`), `cancel`."""
    if not visitor.may(Scope.WRITE, view.repository):
        return frozenset()
    possible = {str(mode) for mode in Mode if again and run_commands.can_rerun(view, mode)}
    if not view.steps:
        possible.discard(Mode.FAILED)
    if not view.run.status.terminal and not view.waiting:
        possible.add("cancel")
    return frozenset(possible)


def _commit_url(view: RunView) -> str:
    """Return where the forge shows the commit; empty for a plain git server."""
    base = view.repository.web_url or ""
    if not base.startswith(("https://", "http://")):
        return ""
    return f"{base.rstrip('/')}/commit/{quote(view.run.commit)}"


def _older(request: Request, before: str) -> str:
    parameters = {**dict(request.query_params), "before": before}
    return f"/?{urlencode(parameters)}"


def _form(request: Request, body: bytes) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise WrongType(f"a form is sent as {_FORM}", cure="use the form on the page")
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=10))
    except ValueError as error:
        raise BadField("this is no form", cure="use the form on the page") from error


def _next(values: Mapping[str, str]) -> str:
    """Return the page to show after logging in: one of ours, whatever the address says."""
    wanted = values.get("next", "/")
    return wanted if _OWN_PATH.fullmatch(wanted) else "/"


def _seen(path: str) -> Response:
    """Return the way to a page after a form was sent (RFC 9110, section 15.4.4)."""
    return RedirectResponse(path, 303)
