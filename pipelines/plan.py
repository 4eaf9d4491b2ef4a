"""A plan: the steps that one event makes of one `.ci.yaml`, expanded and in order.

A plan is a function of the file, the event and the limits. It says what may run, never what
happened: that is the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from pipelines.events import Event
from pipelines.expressions import Expression
from pipelines.graph import Graph
from pipelines.schema import OnConflict
from pipelines.templates import Template


class StepKind(StrEnum):
    """Whether a step belongs to the graph or to what runs after it."""

    NORMAL = "normal"
    FINALLY = "finally"


class RetryOn(StrEnum):
    """The ends after which a step may be tried again."""

    FAILURE = "failure"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class RetryPolicy:
    """How often a step is tried again, after which ends, and how long it waits before (seconds)."""

    limit: int = 0
    on: frozenset[RetryOn] = frozenset()
    exit_codes: frozenset[int] = frozenset()
    backoff: float = 5.0

    def covers(self, end: RetryOn, exit_code: int | None) -> bool:
        """Return whether a step is tried again after such an end, if there are tries left."""
        return end in self.on or (end is RetryOn.FAILURE and exit_code in self.exit_codes)

    def delay(self, retries: int) -> float:
        """Return the seconds to wait before the next try, after `retries` of them.

        They double with each, up to five minutes (or `backoff` itself, if that is longer).
        """
        return min(self.backoff * 2.0**retries, max(self.backoff, 300.0))


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What is asked of a machine: processors, memory and disk in bytes; None asks for nothing."""

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedService:
    """A program beside a step; `ready` is a line for `sh`, empty if the step may begin at once."""

    name: str
    image: Template
    command: tuple[str, ...] = ()
    env: Mapping[str, Template] = field(default_factory=dict)
    ready: str = ""
    resources: Resources = Resources()


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One step of a plan; `group` is its name in the file, `name` has its matrix values too.

    `needs` holds the names of steps in this plan, in the order in which workspaces merge, `secrets`
    the names of secrets. Durations are seconds.
    """

    name: str
    group: str
    kind: StepKind
    script: str
    shell: tuple[str, ...]
    needs: tuple[str, ...] = ()
    image: Template | None = None
    env: Mapping[str, Template] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    services: tuple[PlannedService, ...] = ()
    resources: Resources = Resources()
    when: Expression | None = None
    matrix: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    artifacts: tuple[Template, ...] = ()
    timeout: float = 3600.0
    waiting_timeout: float = 600.0
    grace: float = 10.0
    allow_failure: bool = False
    retry: RetryPolicy = RetryPolicy()


@dataclass(frozen=True)
class Plan:
    """Steps by name in file order, `finally` ones last; and what holds for all of them.

    `changed` holds the paths that the event changed, None if that cannot be known.
    """

    event: Event
    steps: Mapping[str, PlannedStep]
    changed: tuple[str, ...] | None = None
    fail_fast: bool = False
    on_conflict: OnConflict = OnConflict.WARN

    @cached_property
    def graph(self) -> Graph:
        """The graph over all steps; a `finally` step has edges from `finally` steps alone."""
        return Graph({name: step.needs for name, step in self.steps.items()})

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """For every name in the file the steps it became, in order."""
        found: dict[str, list[str]] = {}
        for name, step in self.steps.items():
            found.setdefault(step.group, []).append(name)
        return {group: tuple(names) for group, names in found.items()}

    @cached_property
    def normal(self) -> tuple[str, ...]:
        """The steps of the graph itself, in file order."""
        return tuple(n for n, step in self.steps.items() if step.kind is StepKind.NORMAL)

    @cached_property
    def final(self) -> tuple[str, ...]:
        """The `finally` steps, in file order."""
        return tuple(n for n, step in self.steps.items() if step.kind is StepKind.FINALLY)

    def begins_with(self, step: str) -> tuple[str, ...]:
        """Return the steps whose workspaces a step begins with, in the order in which they merge.

        They are its needs; a `finally` step without any begins with what the whole graph left.
        """
        planned = self.steps[step]
        if planned.kind is StepKind.FINALLY and not planned.needs:
            return self._ends
        return planned.needs

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        return tuple(n for n in self.graph.sinks if self.steps[n].kind is StepKind.NORMAL)
