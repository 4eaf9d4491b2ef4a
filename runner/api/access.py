"""Who is asking, and what they may see and do.

A visitor shows a token in `Authorization`, or a session cookie that `/login` gave. What is public
may be read by anybody. To those who may not read a private repository it does not exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.requests import Request

from runner.api import sessions
from runner.api.errors import Forbidden, ForeignOrigin, NotFound, Unauthenticated
from runner.database import repositories, runs, tokens
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.words import Visibility
from runner.services import Services
from runner.tokens import Scope, Token

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CURE = "send `Authorization: Bearer hkl_…` with a token that is valid, or log in"
NO_RUN = "there is no such run"
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255}){0,3}")


@dataclass(frozen=True)
class Visitor:
    """Whoever asks; `token` is None for somebody who has shown none."""

    token: Token | None = None

    @property
    def name(self) -> str:
        """How the visitor is called where their deeds are shown."""
        return self.token.name if self.token else "anonymous"

    @property
    def account(self) -> str:
        """How the visitor is called in the audit."""
        return f"token {self.token.id}" if self.token else "anonymous"

    def may(self, scope: Scope, repository: Repository | None = None) -> bool:
        """Return whether the visitor holds a scope on a repository, or on the instance."""
        known = repository.id if repository else None
        return self.token is not None and self.token.allows(scope, known)

    def may_read(self, repository: Repository) -> bool:
        """Return whether the visitor may see a repository and its runs."""
        return repository.visibility is Visibility.PUBLIC or self.may(Scope.READ, repository)

    def require(self, scope: Scope, repository: Repository | None = None) -> None:
        """Raise `Unauthenticated` or `Forbidden` unless the visitor holds a scope."""
        if self.token is None:
            raise Unauthenticated("this needs a token", cure=CURE)
        if not self.may(scope, repository):
            held = ", ".join(self.token.scopes)
            place = f"the repository {repository.name}" if repository else "the whole instance"
            raise Forbidden(
                f"the token {self.token.name!r} does not allow this",
                cure=f"use one with the scope {scope} for {place}; this one has {held}",
            )


ANYBODY = Visitor()


class Gate:
    """Tells visitors apart and lets them through; its methods use the database, so call them from
    a thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def visitor(self, request: Request) -> Visitor:
        """Return who sent a request.

        Raises `Unauthenticated` for a token that is not valid, or none where something would be
        changed, and `ForeignOrigin` for a change with a cookie that another site asked for.
        """
        shown = request.headers.get("authorization")
        visitor = self._session(request) if shown is None else self._bearer(shown)
        if request.method in SAFE_METHODS:
            return visitor
        if visitor.token is None:
            raise Unauthenticated("this needs a token", cure=CURE)
        if shown is None:
            self.check_origin(request)
        return visitor

    def recognised(self, text: str) -> Token | None:
        """Return the usable token that a text is, and write down that it was used."""
        now = self._services.clock.now()
        with self._services.database.read() as tx:
            token = tokens.known(tx, text, now)
        if token is not None:
            self._note_use(token, now)
        return token

    def check_origin(self, request: Request) -> None:
        """Raise `ForeignOrigin` unless the request came from a page of this instance."""
        origin = request.headers.get("origin", "")
        host = f"{request.url.scheme}://{request.headers.get('host', '')}"
        if origin not in (_origin_of(self._services.settings.url), host):
            message = f"this request was made by a page of {origin[:200] or 'an unnamed origin'}"
            cure = "use the pages of this instance under its own address, or send a token"
            raise ForeignOrigin(message, cure=cure)

    def _bearer(self, header: str) -> Visitor:
        scheme, _, text = header.partition(" ")
        token = self.recognised(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Unauthenticated("the token is not known, has expired or was revoked", cure=CURE)
        return Visitor(token)

    def _session(self, request: Request) -> Visitor:
        name = sessions.cookie_name(self._services.settings.url)
        cookie = request.cookies.get(name)
        now = self._services.clock.now()
        token_id = sessions.token_id(self._services.keyring, cookie, now) if cookie else None
        if token_id is None:
            return ANYBODY
        with self._services.database.read() as tx:
            token = tokens.find(tx, token_id)
        if token is None or not token.usable(now):
            return ANYBODY
        self._note_use(token, now)
        return Visitor(token)

    def _note_use(self, token: Token, now: float) -> None:
        if tokens.use_is_news(token, now):
            self._services.database.transact(lambda tx: tokens.used(tx, token, now))


def repository_of(
    tx: Connection, visitor: Visitor, name: str, scope: Scope | None = None
) -> Repository:
    """Return the repository of a name; with a scope only if the visitor holds it there.

    Raises `NotFound` for one that is not there or must not be known of, and what `require` does.
    """
    found = repositories.named(tx, name) if _NAME.fullmatch(name) else None
    return _let(visitor, found, f"there is no repository {name[:255]!r}", scope)


def run_of(
    tx: Connection, visitor: Visitor, run_id: str, scope: Scope | None = None
) -> tuple[Run, Repository]:
    """Return the run of an id and its repository; raises what `repository_of` does."""
    run = known(runs.find(tx, run_id) if is_id(run_id) else None, NO_RUN)
    return run, owner_of(tx, visitor, run.repository_id, NO_RUN, scope)


def owner_of(
    tx: Connection,
    visitor: Visitor,
    repository_id: int,
    missing: str,
    scope: Scope | None = None,
) -> Repository:
    """Return the repository that something belongs to; raises what `repository_of` does.

    `missing` is what those are told who must not know of it.
    """
    return _let(visitor, repositories.find(tx, repository_id), missing, scope)


def known(found: T | None, missing: str) -> T:
    """Return what was found; raise `NotFound` as for what is hidden."""
    if found is None:
        raise _missing(missing)
    return found


def is_id(text: str) -> bool:
    """Return whether a text can be an id at all; others are not worth a query."""
    return bool(_ID.fullmatch(text))


def _let(
    visitor: Visitor, found: Repository | None, missing: str, scope: Scope | None
) -> Repository:
    if found is None or not visitor.may_read(found):
        raise _missing(missing)
    if scope is not None:
        visitor.require(scope, found)
    return found


def _missing(message: str) -> NotFound:
    """Return the one answer to what is not there and to what must not be known of."""
    cure = "look at the list of those that this token may see, or use another token"
    return NotFound(message, cure=cure)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
