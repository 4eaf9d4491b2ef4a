"""`/api/v1/deliveries`: what forges delivered, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api.access import Gate, is_id, known, owner_of, repository_of
from runner.api.answers import answer
from runner.api.bodies import Parameters, parameters_of
from runner.database import deliveries, hooks
from runner.database.deliveries import Change, StoredDelivery
from runner.services import Services
from runner.tokens import Scope

MISSING = "there is no such delivery"


class DeliveryPage(Parameters):
    """Which deliveries are listed."""

    repository: str
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@dataclass(frozen=True)
class Deliveries:
    """The endpoints; they need a token, as the id of a delivery lets anybody follow it."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/deliveries"
        return [Route(place, self.listing), Route(f"{place}/{{id}}", self.show)]

    def listing(self, request: Request) -> Response:
        """Answer with a repository's deliveries, newest first."""
        visitor = self.gate.visitor(request)
        asked = parameters_of(request, DeliveryPage)
        with self.services.database.read() as tx:
            repository = repository_of(tx, visitor, asked.repository, Scope.READ)
            found = deliveries.page(tx, repository.id, limit=asked.limit)
        return answer({"deliveries": [shape(one) for one in found]})

    def show(self, request: Request) -> Response:
        """Answer with one delivery and what became of each change in it."""
        visitor = self.gate.visitor(request)
        delivery_id = request.path_params["id"]
        with self.services.database.read() as tx:
            stored = deliveries.find(tx, delivery_id) if is_id(delivery_id) else None
            found = known(stored, MISSING)
            hook = known(hooks.find(tx, found.hook_id), MISSING)
            owner_of(tx, visitor, hook.repository_id, MISSING, Scope.READ)
            changes = deliveries.changes_of(tx, found.id)
        return answer({**shape(found), "changes": [_change(change) for change in changes]})


def shape(delivery: StoredDelivery) -> dict[str, Any]:
    """Return a delivery as JSON."""
    return {
        "id": delivery.id,
        "hook": delivery.hook_id,
        "forge_id": delivery.forge_id,
        "event": delivery.event,
        "received_at": delivery.received_at,
        "outcome": delivery.outcome,
        "reason": delivery.reason,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "ref": change.ref,
        "commit": change.commit,
        "run": change.run_id,
        "reason": change.reason,
    }
