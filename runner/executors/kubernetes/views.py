"""What the executor wants to know of a Pod: whose it is, what was said to it, what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.executors.base import AttemptId
from runner.kube.podfacts import PodFacts, pod_facts
from runner.kube.podspec import (
    ATTEMPT,
    INSTANCE,
    MANAGED_BY,
    MARGIN,
    RUN,
    STEP,
    STOP,
    pod_name,
)


@dataclass(frozen=True, kw_only=True)
class PodView:
    """A Pod of ours: whether it must end (`stop`) and is being taken away (`leaving`).

    `grace` is what its step has between SIGTERM and SIGKILL, in seconds; `raw` the Pod itself.
    """

    name: str
    uid: str
    attempt: AttemptId
    stop: bool
    leaving: bool
    grace: float
    facts: PodFacts
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def go(self) -> bool:
        """Whether its step may begin."""
        return self.facts.go

    @property
    def unready(self) -> bool:
        """Whether there are services that are to be waited for."""
        return any(service.unready for service in self.facts.services)

    @property
    def unschedulable(self) -> bool:
        """Whether there is no room for it."""
        condition = self.facts.conditions.get("PodScheduled")
        return condition is not None and not condition.holds and condition.reason == "Unschedulable"


def read_pod(pod: Mapping[str, Any]) -> PodView | None:
    """Return the view of a Pod as the API server tells it; None for one that is no attempt's."""
    metadata = pod["metadata"]
    attempt = attempt_of(metadata)
    if attempt is None:
        return None
    seconds = (pod.get("spec") or {}).get("terminationGracePeriodSeconds") or MARGIN
    return PodView(
        name=metadata["name"],
        uid=str(metadata.get("uid") or ""),
        attempt=attempt,
        stop=(metadata.get("annotations") or {}).get(STOP) == "1",
        leaving=bool(metadata.get("deletionTimestamp")),
        grace=max(seconds - MARGIN, 0.0),
        facts=pod_facts(pod),
        raw=pod,
    )


def attempt_of(metadata: Mapping[str, Any]) -> AttemptId | None:
    """Return whose Pod it is by its labels and its annotation; None if they do not fit its name."""
    labels = metadata.get("labels") or {}
    step = (metadata.get("annotations") or {}).get(STEP)
    number = str(labels.get(ATTEMPT) or "")
    if step is None or RUN not in labels or not number.isascii() or not number.isdecimal():
        return None
    attempt = AttemptId(labels[RUN], step, int(number))
    return attempt if pod_name(attempt) == metadata.get("name") else None


def selector(instance: str, run: str | None = None) -> str:
    """Return the label selector of everything of an instance, or of one run of it."""
    ours = f"{MANAGED_BY}=hookline,{INSTANCE}={instance}"
    return ours if run is None else f"{ours},{RUN}={run}"
