"""From an accepted event to a plan and a first snapshot: what preparing a run may come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pipelines import planning
from pipelines.errors import PlanError
from pipelines.events import Event
from pipelines.plan import Plan
from pipelines.schema import Config

CONFIG_PATH = ".ci.yaml"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A run that is to be prepared; `repository` is the id of its repository."""

    run: str
    repository: int
    event: Event


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that can begin: its file, its plan, and the digest of its first snapshot."""

    config: str
    plan: Plan
    changed: tuple[str, ...] | None
    source: str
    commit: str
    message: str = ""
    author: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoRun:
    """There is nothing to run at this commit for this event."""

    reason: str


@dataclass(frozen=True)
class Broken:
    """The run cannot begin; `details` holds every mistake, `reason` the first."""

    reason: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Later:
    """The run may be prepared when something that is away now has come back."""

    reason: str


Preparation: TypeAlias = Prepared | NoRun | Broken | Later


class Preparer(Protocol):
    """Prepares runs; called from worker threads, several at once."""

    def prepare(self, task: Task) -> Preparation:
        """Return what becomes of a run; raises nothing that a repository could cause."""


@dataclass(frozen=True, kw_only=True)
class FixedPreparer:
    """Prepares a run whose config and first snapshot are already at hand: `hookline run`."""

    config: Config
    text: str
    source: str
    limits: planning.Limits
    warnings: tuple[str, ...] = ()

    def prepare(self, task: Task) -> Preparation:
        """Plan the config for the task's event, whatever its triggers say."""
        try:
            plan = planning.plan(self.config, task.event, self.limits)
        except PlanError as error:
            return Broken(str(error))
        return Prepared(
            config=self.text,
            plan=plan,
            changed=None,
            source=self.source,
            commit=task.event.commit,
            message=task.event.message,
            author=task.event.author,
            warnings=self.warnings,
        )
