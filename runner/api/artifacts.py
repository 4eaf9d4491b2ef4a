"""`/api/v1/runs/{id}/steps/{step}/artifacts/{path}`: the files that a step left for others."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api import attempts
from runner.api.access import Gate, run_of
from runner.api.answers import download
from runner.api.attempts import Found
from runner.api.bodies import Parameters, parameters_of
from runner.api.errors import Gone, NotFound
from runner.api.logs import AttemptNumber
from runner.api.paths import EncodedRoute
from runner.executors.base import Artifact
from runner.objects.base import ObjectMissing
from runner.services import Services
from runner.workspace.errors import WorkspaceError
from runner.workspace.manifest import Kind

CURE = "run the step again to have it anew, or push the commit again"


class Which(Parameters):
    """Which attempt left the file; the latest without a number."""

    attempt: AttemptNumber | None = None


@dataclass(frozen=True)
class Artifacts:
    """The endpoint."""

    services: Services
    gate: Gate

    def routes(self) -> list[Route]:
        """Return the route of this resource."""
        place = "/api/v1/runs/{id}/steps/{step}/artifacts/{path:path}"
        return [EncodedRoute(place, self.show)]

    def show(self, request: Request) -> Response:
        """Answer with the bytes of a file, to be saved."""
        asked = parameters_of(request, Which)
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            run, _ = run_of(tx, visitor, request.path_params["id"])
            found = attempts.find(tx, run.id, request.path_params["step"], asked.attempt)
        return self._download(found, _named(found, request.path_params["path"]))

    def _download(self, found: Found, artifact: Artifact) -> Response:
        snapshot = found.attempt.snapshot if found.attempt else None
        if snapshot is None:
            raise Gone("what the attempt left could not be captured", cure=CURE)
        try:
            manifest = self.services.snapshots.load(snapshot)
            entry = manifest.entries.get(artifact.path)
            if entry is None or entry.kind is not Kind.FILE:
                raise Gone("the snapshot does not hold this file", cure=CURE)
            chunks = self.services.snapshots.contents(manifest).read(entry)
            name = artifact.path.rpartition("/")[2]
            return download(chunks, name, entry.size, entry.digest)
        except (WorkspaceError, ObjectMissing) as error:
            raise Gone(str(error), cure=CURE) from error


def _named(found: Found, path: str) -> Artifact:
    there = found.attempt.artifacts if found.attempt else ()
    for artifact in there:
        if artifact.path == path:
            return artifact
    names = ", ".join(artifact.path for artifact in there[:10]) or "none"
    message = f"the step {found.step.name!r} left no artifact {path[:255]!r}"
    raise NotFound(message, cure=f"its artifacts: {names}")
