"""`/api/v1/hooks`: the addresses that forges deliver to, and the secrets that they sign with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api.access import Gate, Visitor, is_id, known, owner_of, repository_of
from runner.api.answers import answer, nothing
from runner.api.bodies import Fields, Parameters, fields_of, parameters_of, with_body
from runner.database import audit, hooks
from runner.database.hooks import StoredHook
from runner.secrets import hook_context
from runner.services import Services
from runner.tokens import Scope
from webhooks.signatures import new_secret

MISSING = "there is no such hook"


class NewHook(Fields):
    """What a hook is made for."""

    repository: Annotated[str, Field(max_length=255)]


class OfRepository(Parameters):
    """Whose hooks are listed."""

    repository: str


@dataclass(frozen=True)
class Hooks:
    """The endpoints; all of them are for those who administer the repository."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/hooks"
        return [
            Route(place, self.listing),
            Route(place, with_body(self.create), methods=["POST"]),
            Route(f"{place}/{{id}}", self.remove, methods=["DELETE"]),
        ]

    def listing(self, request: Request) -> Response:
        """Answer with a repository's hooks, oldest first, without their secrets."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, OfRepository)
        with self.services.database.read() as tx:
            repository = repository_of(tx, visitor, asked.repository, Scope.ADMIN)
            found = hooks.of_repository(tx, repository.id)
        return answer({"hooks": [self._shape(hook) for hook in found]})

    def create(self, request: Request, body: bytes) -> Response:
        """Make a hook and answer with its secret, which is shown this once."""
        visitor = self.gate.visitor(request)
        asked = fields_of(request, body, NewHook)
        hook_id, secret = hooks.new_id(), new_secret()
        made = self.services.database.transact(
            lambda tx: self._create(tx, visitor, asked.repository, hook_id, secret)
        )
        return answer({**self._shape(made), "secret": secret}, 201)

    def _create(
        self, tx: Connection, visitor: Visitor, name: str, hook_id: str, secret: str
    ) -> StoredHook:
        repository = repository_of(tx, visitor, name, Scope.ADMIN)
        sealed = self.services.keyring.encrypt(secret, hook_context(hook_id))
        now = self.services.clock.now()
        made = StoredHook(
            id=hook_id,
            repository_id=repository.id,
            repository=repository.name,
            forge=repository.forge,
            secrets=(sealed,),
            created_at=now,
        )
        hooks.add(
            tx,
            hook_id=made.id,
            repository_id=made.repository_id,
            forge=made.forge,
            secrets=made.secrets,
            at=now,
        )
        self._note(tx, visitor, "hook.create", made)
        return made

    def remove(self, request: Request) -> Response:
        """Delete a hook with its deliveries."""
        visitor = self.gate.visitor(request)
        hook_id = request.path_params["id"]
        self.services.database.transact(lambda tx: self._remove(tx, visitor, hook_id))
        return nothing()

    def _remove(self, tx: Connection, visitor: Visitor, hook_id: str) -> None:
        found = known(hooks.find(tx, hook_id) if is_id(hook_id) else None, MISSING)
        owner_of(tx, visitor, found.repository_id, MISSING, Scope.ADMIN)
        hooks.remove(tx, found.id)
        self._note(tx, visitor, "hook.delete", found)

    def _note(self, tx: Connection, visitor: Visitor, what: str, hook: StoredHook) -> None:
        about = {"hook": hook.id, "repository": hook.repository}
        now = self.services.clock.now()
        audit.add(tx, at=now, who=visitor.account, what=what, about=about)

    def _shape(self, hook: StoredHook) -> dict[str, Any]:
        return {
            "id": hook.id,
            "repository": hook.repository,
            "forge": hook.forge,
            "url": f"{self.services.settings.url}/hooks/{hook.forge}/{hook.id}",
            "created_at": hook.created_at,
        }
