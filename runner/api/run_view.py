"""A run with all that is shown of it, read at one moment, and its shape as JSON.

Times are seconds since the epoch, durations seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from pipelines.states import RunStatus
from runner.api.paths import encoded
from runner.database import attempts, commands, repositories, runs, steps
from runner.database.attempts import Attempt
from runner.database.commands import Command
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.steps import Step
from runner.executors.base import Artifact


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run, its repository, its steps in order, the attempts of each, and what waits for it."""

    run: Run
    repository: Repository
    steps: tuple[Step, ...]
    attempts: Mapping[str, tuple[Attempt, ...]]
    waiting: tuple[Command, ...]

    @property
    def settled(self) -> bool:
        """Whether the run has ended and nothing was asked of it since."""
        return self.run.status.terminal and not self.waiting

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the run could not begin; empty for one that could."""
        if self.run.status is not RunStatus.ERROR or self.steps:
            return ()
        return self.run.warnings or (self.run.reason,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth knowing about a run that could begin."""
        return () if self.errors else self.run.warnings


def load(tx: Connection, run: Run, repository: Repository) -> RunView:
    """Return all that is shown of a run."""
    by_step: dict[str, list[Attempt]] = {}
    for attempt in attempts.of(tx, run.id):
        by_step.setdefault(attempt.step, []).append(attempt)
    return RunView(
        run=run,
        repository=repository,
        steps=tuple(steps.of(tx, run.id)),
        attempts={name: tuple(found) for name, found in by_step.items()},
        waiting=tuple(commands.pending(tx, run.id)),
    )


def reload(tx: Connection, run_id: str) -> RunView | None:
    """Return a run as it is now; None if it is gone."""
    run = runs.find(tx, run_id)
    repository = repositories.find(tx, run.repository_id) if run else None
    return load(tx, run, repository) if run and repository else None


def brief(run: Run, repository: Repository, base_url: str) -> dict[str, Any]:
    """Return a run as it stands in a list."""
    return {
        "id": run.id,
        "number": run.number,
        "repository": repository.name,
        "url": f"{base_url}/runs/{run.id}",
        "event": run.kind,
        "trust": run.trust,
        "ref": run.ref,
        "branch": run.branch,
        "commit": run.commit,
        "message": run.message,
        "author": run.author,
        "status": run.status,
        "reason": run.reason,
        "attempt": run.attempt,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }


def full(view: RunView, base_url: str) -> dict[str, Any]:
    """Return a run with its steps and their attempts."""
    return {
        **brief(view.run, view.repository, base_url),
        "errors": list(view.errors),
        "warnings": list(view.warnings),
        "asked": [command.kind for command in view.waiting],
        "steps": [
            _step(step, view.attempts.get(step.name, ()), view.run.id) for step in view.steps
        ],
    }


def version(view: RunView) -> str:
    """Return a short text that differs whenever what is shown of a run does."""
    text = json.dumps(full(view, ""), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def log_path(run_id: str, step: str, attempt: int | None = None, service: str | None = None) -> str:
    """Return the path at which the log of a step, or of a service of it, is served as text."""
    asked = {"attempt": attempt, "service": service}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"/api/v1/runs/{run_id}/steps/{encoded(step)}/log{'?' if query else ''}{query}"


def artifact_path(run_id: str, step: str, artifact: str, attempt: int | None = None) -> str:
    """Return the path at which a file that a step left is served."""
    asked = "" if attempt is None else f"?attempt={attempt}"
    place = "/".join(encoded(part) for part in artifact.split("/"))
    return f"/api/v1/runs/{run_id}/steps/{encoded(step)}/artifacts/{place}{asked}"


def _step(step: Step, tries: tuple[Attempt, ...], run_id: str) -> dict[str, Any]:
    return {
        "name": step.name,
        "kind": step.kind,
        "state": step.state,
        "attempt": step.attempt,
        "allow_failure": step.allow_failure,
        "needs": list(step.needs),
        "services": list(step.services or ()),
        **_result(step, run_id, step.name, None),
        "log": log_path(run_id, step.name),
        "attempts": [_attempt(attempt, run_id) for attempt in tries],
    }


def _attempt(attempt: Attempt, run_id: str) -> dict[str, Any]:
    return {
        "number": attempt.number,
        **_result(attempt, run_id, attempt.step, attempt.number),
        "log": log_path(run_id, attempt.step, attempt.number),
    }


def _result(what: Step | Attempt, run_id: str, step: str, number: int | None) -> dict[str, Any]:
    return {
        "outcome": what.outcome,
        "cause": what.cause,
        "reason": what.reason,
        "exit_code": what.exit_code,
        "started_at": what.started_at,
        "ended_at": what.ended_at,
        "outputs": dict(what.outputs),
        "artifacts": [_artifact(one, run_id, step, number) for one in what.artifacts],
        "warnings": list(what.warnings),
    }


def _artifact(artifact: Artifact, run_id: str, step: str, number: int | None) -> dict[str, Any]:
    return {
        "path": artifact.path,
        "size": artifact.size,
        "digest": artifact.digest,
        "url": artifact_path(run_id, step, artifact.path, number),
    }
