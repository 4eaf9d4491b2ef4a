"""How far a step has come: its state, why, and every attempt at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipelines.plan import PlannedStep, Resources
from pipelines.states import Cause, Outcome, State


class StopReason(StrEnum):
    """Why an attempt that may run is asked to end."""

    CANCEL = "cancel"
    FAIL_FAST = "fail fast"
    TIMEOUT = "timeout"
    WAITING = "waiting"


@dataclass
class Attempt:
    """One try of a step; once `outcome` is there nothing in it changes any more."""

    number: int
    asked_at: float
    waiting_since: float | None = None
    waiting_for: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    cause: Cause = Cause.NONE
    exit_code: int | None = None
    message: str = ""
    snapshot: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RenderedService:
    """A service of a step, with what its templates came to."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Rendered:
    """What a step's templates came to when its turn came."""

    image: str | None
    env: Mapping[str, str]
    artifacts: tuple[str, ...]
    services: tuple[RenderedService, ...] = ()


@dataclass
class StepProgress:
    """A planned step and how it stands.

    `unmet` counts the needs that have not ended, `tainted` says that it or a step before it failed
    without being allowed to, `culprit` names the step that blocked it, `earlier` counts the
    attempts from before it was last run again.
    """

    planned: PlannedStep
    unmet: int
    state: State = State.PENDING
    reason: str = ""
    culprit: str | None = None
    tainted: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    earlier: int = 0
    retries: int = 0
    retry_at: float | None = None
    stop: StopReason | None = None
    rendered: Rendered | None = None
    ended_at: float | None = None

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt since it was last run again."""
        return self.attempts[-1] if len(self.attempts) > self.earlier else None

    @property
    def forgiven(self) -> bool:
        """Whether it failed and was allowed to."""
        return self.planned.allow_failure and self.state in (State.FAILURE, State.ERROR)

    @property
    def satisfied(self) -> bool:
        """Whether steps that need it may run without asking for a failure."""
        return self.state in (State.SUCCESS, State.SKIPPED) or self.forgiven

    @property
    def spoiled(self) -> bool:
        """Whether it ended in a way that those who need it must not build on."""
        return self.state.terminal and not self.satisfied

    @property
    def outputs(self) -> Mapping[str, str] | None:
        """What it wrote for others; None if it has not run."""
        ran = self.state in (State.SUCCESS, State.FAILURE, State.ERROR)
        return self.attempt.outputs if ran and self.attempt else None
