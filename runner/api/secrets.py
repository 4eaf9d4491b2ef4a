"""`/api/v1/secrets`: which secrets repositories have; what they are is told to steps alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.schema import SecretName
from runner.api.access import Gate, Visitor, repository_of
from runner.api.answers import answer, nothing
from runner.api.bodies import Fields, Parameters, fields_of, parameters_of, with_body
from runner.api.errors import NotFound
from runner.api.paths import EncodedRoute
from runner.database import audit, repositories, secrets
from runner.database.secrets import StoredSecret
from runner.secret_values import LARGEST, SecretRefused, check_value
from runner.secrets import secret_context
from runner.services import Services
from runner.tokens import Scope

LARGEST_BODY = 6 * LARGEST + 4096
"""JSON may need six bytes for one of a value."""


def _sound_value(value: str) -> str:
    try:
        return check_value(value)
    except SecretRefused as error:
        raise ValueError(f"{error.message}; {error.cure}") from None


class NewSecret(Fields):
    """A secret and its value."""

    repository: Annotated[str, Field(max_length=255)]
    name: SecretName
    value: Annotated[str, Field(repr=False), AfterValidator(_sound_value)]


class WhoseSecrets(Parameters):
    """Whose secrets are listed."""

    repository: str


@dataclass(frozen=True)
class Secrets:
    """The endpoints; all of them are for those who administer the repository."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/secrets"
        return [
            Route(place, self.listing),
            Route(place, with_body(self.put, LARGEST_BODY), methods=["POST"]),
            EncodedRoute(f"{place}/{{repository}}/{{name}}", self.remove, methods=["DELETE"]),
        ]

    def listing(self, request: Request) -> Response:
        """Answer with a repository's secrets by name, without their values."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, WhoseSecrets)
        with self.services.database.read() as tx:
            repository = repository_of(tx, visitor, asked.repository, Scope.ADMIN)
            found = secrets.listing(tx, repository.id)
        return answer({"secrets": [_shape(repository.name, secret) for secret in found]})

    def put(self, request: Request, body: bytes) -> Response:
        """Store a secret, in the place of one of the same name; answer without its value."""
        visitor = self.gate.visitor(request)
        asked = fields_of(request, body, NewSecret)
        stored, is_new = self.services.database.transact(lambda tx: self._put(tx, visitor, asked))
        return answer(_shape(asked.repository, stored), 201 if is_new else 200)

    def _put(self, tx: Connection, visitor: Visitor, asked: NewSecret) -> tuple[StoredSecret, bool]:
        repository = repository_of(tx, visitor, asked.repository, Scope.ADMIN)
        repositories.lock(tx, repository.id)
        context = secret_context(repository.name, asked.name)
        sealed = self.services.keyring.encrypt(asked.value, context)
        now = self.services.clock.now()
        by = visitor.account
        is_new = secrets.put(tx, repository.id, asked.name, sealed=sealed, by=by, at=now)
        self._note(tx, visitor, "secret.set", repository.name, asked.name)
        return StoredSecret(name=asked.name, set_at=now, set_by=by), is_new

    def remove(self, request: Request) -> Response:
        """Delete a secret; steps that name it end as errors from now on."""
        visitor = self.gate.visitor(request)
        repository, name = request.path_params["repository"], request.path_params["name"]
        self.services.database.transact(lambda tx: self._remove(tx, visitor, repository, name))
        return nothing()

    def _remove(self, tx: Connection, visitor: Visitor, repository: str, name: str) -> None:
        found = repository_of(tx, visitor, repository, Scope.ADMIN)
        if not secrets.remove(tx, found.id, name):
            message = f"{found.name} has no secret {name[:128]!r}"
            raise NotFound(message, cure="look at the list of its secrets")
        self._note(tx, visitor, "secret.delete", found.name, name)

    def _note(
        self, tx: Connection, visitor: Visitor, what: str, repository: str, name: str
    ) -> None:
        about = {"repository": repository, "secret": name}
        now = self.services.clock.now()
        audit.add(tx, at=now, who=visitor.account, what=what, about=about)


def _shape(repository: str, secret: StoredSecret) -> dict[str, Any]:
    return {
        "repository": repository,
        "name": secret.name,
        "set_at": secret.set_at,
        "set_by": secret.set_by,
    }
