"""`/healthz` and `/readyz`: whether the process lives, and whether it can do its work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api.answers import answer
from runner.api.errors import Unavailable
from runner.services import Services


@dataclass(frozen=True)
class Health:
    """The endpoints; they need no token and tell nothing else."""

    services: Services

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [Route("/healthz", self.lives), Route("/readyz", self.ready)]

    def lives(self, request: Request) -> Response:  # noqa: ARG002 - an endpoint
        """Answer at all."""
        return answer({"status": "ok"})

    def ready(self, request: Request) -> Response:  # noqa: ARG002 - an endpoint
        """Answer once all was reached, while the database answers; its errors become a 503."""
        if awaited := self.services.readiness.awaited:
            message = f"not reached yet since the start: {' and '.join(awaited)}"
            raise Unavailable(message, cure="the server goes on trying; its log says why")
        with self.services.database.read() as tx:
            tx.execute(text("SELECT 1"))
        return answer({"status": "ok"})
