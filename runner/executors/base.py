"""The seam between the engine and what runs a step.

The engine says what it wants by names that never change (run, step, attempt); starting or stopping
twice is harmless. It learns by looking: a listener only says *look again*, never what happened, so
that a message lost or told twice changes nothing. The contract suite in
`tests/runner/executors/contract.py` runs against every implementation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from pipelines.states import Cause, Outcome


@dataclass(frozen=True, order=True)
class AttemptId:
    """One try of one step of one run; `number` counts from 1 and never comes again."""

    run: str
    step: str
    number: int

    @property
    def name(self) -> str:
        """A name for files and objects: `[a-z0-9-]`, at most 63 characters, unique in its run."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.step.lower()).strip("-")[:40].strip("-")
        digest = hashlib.sha256(self.step.encode()).hexdigest()[:8]
        return f"{slug or 'step'}-{digest}-{self.number}"

    def __str__(self) -> str:
        return f"{self.step}#{self.number}"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a step asks of the machine: processors (0.5 is half of one), memory and disk in bytes.

    None leaves it to the executor.
    """

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """A program that runs beside a step, which reaches it on localhost.

    `command` replaces what the image would start; `ready` is a line for the image's `sh` that
    succeeds once the step may begin, empty if it may at once.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    resources: Resources = Resources()


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What an attempt needs to *start*, which is known before what it needs to run.

    `secrets` are the variables whose values must be seen by nobody but the step; `timeout` and
    `grace` are seconds.
    """

    attempt: AttemptId
    image: str | None = None
    resources: Resources = Resources()
    services: tuple[Service, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 3600.0
    grace: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that an attempt needs to run.

    `command` is what is started in the workspace (its script included), `input` the digest of the
    snapshot it begins with, `outputs` the names it must write, `artifacts` the globs it leaves,
    `secrets` the variables whose values are masked in the log, `timeout` and `grace` are seconds.
    """

    attempt: AttemptId
    command: tuple[str, ...]
    environment: Mapping[str, str]
    input: str
    image: str | None = None
    resources: Resources = Resources()
    services: tuple[Service, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    outputs: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    timeout: float = 3600.0
    grace: float = 10.0

    @property
    def outline(self) -> Outline:
        """The part of it that is needed to start."""
        return Outline(
            attempt=self.attempt,
            image=self.image,
            resources=self.resources,
            services=self.services,
            secrets=self.secrets,
            timeout=self.timeout,
            grace=self.grace,
        )


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that a step left for others to fetch; it lies in the attempt's snapshot."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an attempt ended.

    `started` says whether the step's own command may have run: what never started may be tried
    again. `snapshot` is the digest of what it left, None if nothing could be captured. Times are
    seconds since the epoch.
    """

    outcome: Outcome
    cause: Cause = Cause.NONE
    exit_code: int | None = None
    message: str = ""
    started: bool = True
    started_at: float | None = None
    ended_at: float
    snapshot: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    warnings: tuple[str, ...] = ()


class Phase(StrEnum):
    """Where an attempt is, as far as the executor can see."""

    ABSENT = "absent"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What a look at an attempt shows; `result` is there exactly when it has ended."""

    phase: Phase
    started_at: float | None = None
    message: str = ""
    result: Result | None = None


ABSENT = Sighting(phase=Phase.ABSENT)

Listener: TypeAlias = Callable[[AttemptId], None]


class ExecutorError(Exception):
    """An attempt could not be started, stopped or looked at; the message says why."""

    code = "executor"


class ExecutorUnusable(ExecutorError):
    """The executor cannot work as the settings say; `cure` is what would be right."""

    code = "executor-unusable"

    def __init__(self, message: str, *, cure: str = "") -> None:
        self.cure = cure
        super().__init__(message)


class ExecutorAway(ExecutorUnusable):
    """What the executor needs does not answer, or is unwell; that may pass."""

    code = "executor-away"


class Executor(Protocol):
    """What runs attempts. Every method may raise `ExecutorError`; all are safe from any thread."""

    def listen(self, listener: Listener) -> None:
        """Call `listener`, from any thread, whenever a look at an attempt would show news."""

    def prepare(self, outlines: Sequence[Outline]) -> None:
        """Make ready for attempts that may be wanted soon, the likeliest first.

        The list replaces the one before it: what was made ready and is neither in it nor started
        is undone. It is an offer: an executor that gains nothing by it, or has no room, does
        nothing. To a look, an attempt that was only made ready is absent.
        """

    def start(self, order: Order) -> None:
        """Start an attempt; one that was started before, by whomever, is taken up instead."""

    def stop(self, attempt: AttemptId) -> None:
        """Ask an attempt to end: SIGTERM, then SIGKILL after its grace; an absent one is fine."""

    def look(self, attempt: AttemptId) -> Sighting:
        """Return what is true of an attempt now."""

    def forget(self, run: str, attempts: Iterable[AttemptId]) -> None:
        """Remove what ended attempts left on the machine; their snapshots and logs stay."""

    def close(self) -> None:
        """Stop watching; attempts that run go on running."""
