"""`/api/v1/tokens`: who may do what; a token's text is shown once and never kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api.access import Gate, Visitor, is_id, repository_of
from runner.api.answers import answer, nothing
from runner.api.bodies import Fields, fields_of, with_body
from runner.api.errors import NotFound
from runner.database import audit, repositories, tokens
from runner.services import Services
from runner.tokens import Scope, Token, mint

_LONGEST_LIFE = 10 * 365 * 86400


class NewToken(Fields):
    """What a token is made of; `expires_in` is seconds."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scope: Scope
    repository: Annotated[str, Field(max_length=255)] | None = None
    expires_in: Annotated[int, Field(ge=1, le=_LONGEST_LIFE)] | None = None


@dataclass(frozen=True)
class Tokens:
    """The endpoints; all of them are for those who administer the instance."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/tokens"
        return [
            Route(place, self.listing),
            Route(place, with_body(self.create), methods=["POST"]),
            Route(f"{place}/{{id}}", self.remove, methods=["DELETE"]),
        ]

    def listing(self, request: Request) -> Response:
        """Answer with every token that was ever given out, oldest first."""
        self.gate.visitor(request).require(Scope.ADMIN)
        with self.services.database.read() as tx:
            names = {one.id: one.name for one in repositories.listing(tx)}
            found = tokens.listing(tx)
        return answer({"tokens": [shape(token, names) for token in found]})

    def create(self, request: Request, body: bytes) -> Response:
        """Make a token and answer with its text, which is shown this once."""
        visitor = self.gate.visitor(request)
        visitor.require(Scope.ADMIN)
        asked = fields_of(request, body, NewToken)
        text, token, names = self.services.database.transact(
            lambda tx: self._create(tx, visitor, asked)
        )
        return answer({**shape(token, names), "token": text}, 201)

    def _create(
        self, tx: Connection, visitor: Visitor, asked: NewToken
    ) -> tuple[str, Token, dict[int, str]]:
        now = self.services.clock.now()
        bound = repository_of(tx, visitor, asked.repository) if asked.repository else None
        text, token = mint(
            asked.name,
            (asked.scope,),
            now,
            repository_id=bound.id if bound else None,
            expires_at=None if asked.expires_in is None else now + asked.expires_in,
        )
        tokens.add(tx, token)
        self._note(tx, visitor, "token.create", token.id)
        return text, token, {bound.id: bound.name} if bound else {}

    def remove(self, request: Request) -> Response:
        """Revoke a token for good."""
        visitor = self.gate.visitor(request)
        visitor.require(Scope.ADMIN)
        token_id = request.path_params["id"]
        self.services.database.transact(lambda tx: self._remove(tx, visitor, token_id))
        return nothing()

    def _remove(self, tx: Connection, visitor: Visitor, token_id: str) -> None:
        if not is_id(token_id) or tokens.find(tx, token_id) is None:
            raise NotFound("there is no such token", cure="look at the list of tokens")
        if tokens.revoke(tx, token_id, self.services.clock.now()):
            self._note(tx, visitor, "token.revoke", token_id)

    def _note(self, tx: Connection, visitor: Visitor, what: str, token_id: str) -> None:
        now = self.services.clock.now()
        audit.add(tx, at=now, who=visitor.account, what=what, about={"token": token_id})


def shape(token: Token, repository_names: dict[int, str]) -> dict[str, Any]:
    """Return a token as JSON, without what could be used as one."""
    bound = token.repository_id
    return {
        "id": token.id,
        "name": token.name,
        "scope": max(token.scopes, key=list(Scope).index),
        "repository": None if bound is None else repository_names.get(bound),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
