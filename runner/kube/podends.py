"""Whether a Pod has come to its end: ended, past hope, or lost with its node."""

from __future__ import annotations

from dataclasses import dataclass

from runner.kube.podfacts import ContainerFacts, PodFacts, State

AGENT_LAG = 30.0
"""Seconds between the end of an agent and that of its launcher, at most: they are milliseconds."""
LINGER = 60.0
"""Seconds that a Pod may still be there after the time in which it had to end."""
NODE_PATIENCE = 300.0
"""Seconds that a node may not answer; the same as Kubernetes waits before it gives Pods up."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known beside the Pod.

    `now` is the time in seconds since the epoch. `let_go`: its order was given, so its command may
    have been started (the annotation says so too). `stopped`: it was asked to end, or deleted, by
    us. `waiting`: the seconds it may wait to be started, None for one that is not wanted yet.
    """

    now: float
    let_go: bool = False
    stopped: bool = False
    waiting: float | None = None


@dataclass(frozen=True)
class Case:
    """A Pod, what else is known, and whether its command may have been started."""

    pod: PodFacts
    known: Known
    may_have_run: bool


def case_of(pod: PodFacts, known: Known, *, gone: bool = False) -> Case:
    """Return the case of a Pod, or of one that is gone and was last seen so."""
    let_go = known.let_go or pod.go
    return Case(pod, known, let_go and not _never_ran(pod, stale=gone or is_lost(pod, known.now)))


def _never_ran(pod: PodFacts, *, stale: bool) -> bool:
    """Whether it is certain that the command was not started; `stale` facts may be out of date."""
    if pod.agent.never_started or pod.step.never_started or pod.refused or not pod.bound:
        return True
    return not stale and pod.phase == "Pending" and pod.step.state is State.WAITING


def report(agent: ContainerFacts) -> str:
    """Return what an agent that has ended left as its termination message, if it is a report."""
    ended = agent.state is State.ENDED
    return agent.message if ended and agent.message.startswith("{") else ""


def is_over(case: Case) -> bool:
    """Whether nothing in the Pod goes on any more that could change what it says."""
    pod, agent, step = case.pod, case.pod.agent, case.pod.step
    if pod.phase in ("Succeeded", "Failed"):
        return True
    if agent.state is not State.ENDED:
        return False
    lag = case.known.now - (agent.ended_at or 0.0)
    return bool(report(agent)) or step.state is not State.RUNNING or lag > AGENT_LAG


def is_hopeless(case: Case) -> bool:
    """Whether the agent waits for something that cannot come any more."""
    return case.pod.step.never_started or (
        not case.may_have_run
        and (case.pod.step.state is State.ENDED or any(map(missed, case.pod.services)))
    )


def missed(service: ContainerFacts) -> bool:
    """Whether a service has ended that should be there; one may do its work and end well."""
    return service.state is State.ENDED and (service.probed or service.exit_code != 0)


def is_lost(pod: PodFacts, now: float) -> bool:
    """Whether the node has not answered for so long that the Pod is given up."""
    if pod.deleted_at is not None and now > pod.deleted_at + LINGER:
        return True
    silent_since = _silent_since(pod)
    return silent_since is not None and now > silent_since + NODE_PATIENCE


def _silent_since(pod: PodFacts) -> float | None:
    """Return since when the node does not answer, None if it does.

    The node controller then takes a Pod's `Ready` away, but nobody the `ContainersReady` that the
    kubelet wrote; without readiness gates, which our Pods lack, the two never differ otherwise.
    """
    ready, containers = pod.conditions.get("Ready"), pod.conditions.get("ContainersReady")
    if pod.phase == "Unknown" and ready is not None:
        return ready.since
    if ready is None or containers is None or ready.holds or not containers.holds:
        return None
    return ready.since
