"""A Pod as Kubernetes tells it, read once into plain facts; what is missing or odd is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runner.kube.podspec import AGENT_CONTAINER, GO, SERVICE_PREFIX, STEP_CONTAINER

REFUSALS = frozenset({"NodeAffinity", "UnexpectedAdmissionError"})
_START_FAILURES = frozenset({"StartError", "ContainerCannotRun", "RunContainerError"})


class State(StrEnum):
    """Where a container is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class ContainerFacts:
    """A container: its state, and Kubernetes' reason and message for it.

    `memory` is its limit as it was asked for, `probed` whether its readiness is looked at. Times
    are seconds since the epoch.
    """

    name: str
    image: str = ""
    memory: str = ""
    probed: bool = False
    state: State = State.WAITING
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    ready: bool = False
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def who(self) -> str:
        """What people call it."""
        if self.name == AGENT_CONTAINER:
            return "Hookline's agent"
        if self.name == STEP_CONTAINER:
            return "the step"
        return f"service `{self.name.removeprefix(SERVICE_PREFIX)}`"

    @property
    def unready(self) -> bool:
        """Whether those who need it must still wait: until it is ready if that shows, else started."""
        return not self.ready if self.probed else self.state is State.WAITING

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed its first process, or one the kubelet counts, for memory."""
        return self.reason == "OOMKilled" or "OOM-killed" in self.message

    @property
    def never_started(self) -> bool:
        """Whether its first process could not be started."""
        ended = self.state is State.ENDED
        unborn = self.exit_code == 128 and self.started_at is None
        return ended and (self.reason in _START_FAILURES or unborn)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition of a Pod that is known to be true or false."""

    holds: bool
    reason: str = ""
    message: str = ""
    since: float | None = None


@dataclass(frozen=True, kw_only=True)
class PodFacts:
    """A Pod: whether it has a node (`bound`, since `bound_at`); by when a deleted one must end."""

    phase: str
    reason: str
    message: str
    go: bool
    bound: bool
    created_at: float | None
    bound_at: float | None
    deleted_at: float | None
    containers: tuple[ContainerFacts, ...]
    conditions: Mapping[str, Condition]

    @property
    def refused(self) -> bool:
        """Whether its node would not take it in, so that nothing of it was ever started."""
        return self.reason in REFUSALS or self.reason.startswith("OutOf")

    @property
    def agent(self) -> ContainerFacts:
        """The container that restores, captures and reports."""
        return self._named(AGENT_CONTAINER)

    @property
    def step(self) -> ContainerFacts:
        """The container of the step."""
        return self._named(STEP_CONTAINER)

    @property
    def services(self) -> tuple[ContainerFacts, ...]:
        """The containers of the services."""
        return tuple(each for each in self.containers if each.name.startswith(SERVICE_PREFIX))

    def _named(self, name: str) -> ContainerFacts:
        found = (each for each in self.containers if each.name == name)
        return next(found, ContainerFacts(name=name))


@dataclass(frozen=True, kw_only=True)
class EventFacts:
    """An event about a Pod, and how often it was told."""

    reason: str
    message: str
    count: int


def pod_facts(pod: Mapping[str, Any]) -> PodFacts:
    """Return what a Pod's JSON tells."""
    metadata, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    known = {each.get("name"): each for each in status.get("containerStatuses") or ()}
    annotations = metadata.get("annotations") or {}
    return PodFacts(
        phase=str(status.get("phase") or ""),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        go=annotations.get(GO) == "1",
        bound=bool(spec.get("nodeName") or status.get("startTime")),
        created_at=seconds(metadata.get("creationTimestamp")),
        bound_at=seconds(status.get("startTime")),
        deleted_at=seconds(metadata.get("deletionTimestamp")),
        containers=tuple(
            _container(each, known.get(each.get("name")) or {})
            for each in spec.get("containers") or ()
        ),
        conditions={
            str(each.get("type")): _condition(each) for each in status.get("conditions") or ()
        },
    )


def event_facts(events: Sequence[Mapping[str, Any]]) -> tuple[EventFacts, ...]:
    """Return what events tell, the oldest first as far as they say."""
    ordered = sorted(events, key=lambda each: str(each.get("lastTimestamp") or ""))
    return tuple(
        EventFacts(
            reason=str(each.get("reason") or ""),
            message=str(each.get("message") or ""),
            count=int((each.get("series") or {}).get("count") or each.get("count") or 1),
        )
        for each in ordered
    )


def seconds(time: object) -> float | None:
    """Return a time as Kubernetes writes it in seconds since the epoch; None for none, or 1970."""
    if not isinstance(time, str) or not time:
        return None
    try:
        return datetime.fromisoformat(time).timestamp() or None
    except ValueError:
        return None


def _container(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ContainerFacts:
    state = status.get("state") or {}
    waiting, running, ended = (state.get(each) for each in ("waiting", "running", "terminated"))
    told = ended or running or waiting or {}
    limits = (spec.get("resources") or {}).get("limits") or {}
    return ContainerFacts(
        name=str(spec.get("name")),
        image=str(spec.get("image") or ""),
        memory=str(limits.get("memory") or ""),
        probed="readinessProbe" in spec,
        state=State.ENDED if ended else State.RUNNING if running is not None else State.WAITING,
        reason=str(told.get("reason") or ""),
        message=str(told.get("message") or ""),
        exit_code=told.get("exitCode"),
        ready=bool(status.get("ready")),
        started_at=seconds(told.get("startedAt")),
        ended_at=seconds(told.get("finishedAt")),
    )


def _condition(told: Mapping[str, Any]) -> Condition:
    return Condition(
        holds=told.get("status") == "True",
        reason=str(told.get("reason") or ""),
        message=str(told.get("message") or ""),
        since=seconds(told.get("lastTransitionTime")),
    )
