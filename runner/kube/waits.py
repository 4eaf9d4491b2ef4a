"""Why a Pod does not run yet, in words, and whether it ever will.

What a registry, a secret's cache or a runtime refuse once may pass; it is given some seconds, and
only then taken for an end. What nobody but the author or the operator can mend is told at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.states import Cause, Outcome
from runner.kube.podfacts import ContainerFacts, EventFacts, PodFacts, State
from runner.quantities import show_duration

IMAGE_FAILURES = 3
"""How often an image is tried to be pulled: two back-offs of the kubelet, of 10 and 20 seconds."""
IMAGE_PATIENCE = 120.0
"""Seconds for the same, where events cannot be had."""
CONFIG_PATIENCE = 10.0
"""Seconds for a kubelet to see a Secret that was written just before the Pod."""
RUNTIME_PATIENCE = 120.0
SLOW = 30.0
"""Seconds after which events are asked why a container is not there yet."""

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
_UNUSABLE = {
    "InvalidImageName": "is not the name of an image",
    "ErrImageNeverPull": "is not on the node, and may not be pulled (kubernetes.pull_policy)",
    "SignatureValidationFailed": "is not signed as this cluster asks for",
    "ImageInspectError": "cannot be used by the node",
}
_TRANSIENT = ("deadline exceeded", "timed out", "is reserved for", "connection refused")
_TELLING = frozenset(
    {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady", "Failed"}
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of an attempt, as far as Kubernetes can tell."""

    outcome: Outcome
    cause: Cause
    message: str
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What a Pod waits for; `verdict` is there if it waits in vain.

    `asks_events`: events may tell more.
    """

    message: str
    verdict: Verdict | None = None
    asks_events: bool = False


def why(pod: PodFacts, events: Sequence[EventFacts] | None, now: float) -> Wait | None:
    """Return what a Pod waits for, None if every container has been started."""
    if not pod.bound:
        return _for_a_node(pod)
    waiting = [each for each in pod.containers if each.state is State.WAITING]
    waits = [_of_container(each, pod, events, now) for each in waiting]
    hopeless = (wait for wait in waits if wait.verdict is not None)
    telling = (wait for wait in waits if wait.message or wait.asks_events)
    return next(hopeless, None) or next(telling, None) or (waits[0] if waits else None)


def unready(pod: PodFacts) -> Wait | None:
    """Return the wait for services that are not ready, None if all are."""
    names = [each.who for each in pod.services if each.unready]
    are = "are" if len(names) > 1 else "is"
    return Wait(message=f"waits until {' and '.join(names)} {are} ready") if names else None


def error(cause: Cause, message: str) -> Verdict:
    """Return a verdict for what is not the step's own doing."""
    return Verdict(outcome=Outcome.ERROR, cause=cause, message=message)


def _for_a_node(pod: PodFacts) -> Wait:
    condition = pod.conditions.get("PodScheduled")
    if condition is None or not condition.message:
        return Wait(message="waits for a node")
    # What follows is about other Pods that might be taken away.
    words = condition.message.partition(" preemption:")[0]
    return Wait(message=f"no node has room for it: {words}")


def _of_container(
    container: ContainerFacts, pod: PodFacts, events: Sequence[EventFacts] | None, now: float
) -> Wait:
    reason = container.reason
    since = pod.bound_at or pod.created_at or now
    age = now - since
    if reason in _UNUSABLE:
        message = f"{_image(container)} {_UNUSABLE[reason]}{_told(container.message)}"
        return Wait(message=message, verdict=error(Cause.IMAGE, message))
    if reason in _PULLING:
        return _of_image(container, events, age)
    if reason == "CreateContainerConfigError":
        return _of_config(container, age)
    if reason in ("CreateContainerError", "RunContainerError"):
        return _of_runtime(container, age)
    found = [each for each in events or () if each.reason in _TELLING]
    message = f"is being started: {found[-1].message}" if found else "is being started"
    return Wait(message=message, asks_events=age > SLOW)


def _of_image(container: ContainerFacts, events: Sequence[EventFacts] | None, age: float) -> Wait:
    failed = [
        each for each in events or () if each.reason == "Failed" and "pull image" in each.message
    ]
    words = container.message
    if failed and ": " not in words:
        words = failed[-1].message
    message = f"{_image(container)} cannot be pulled{_told(words)}"
    enough = sum(each.count for each in failed) >= IMAGE_FAILURES
    if enough or age > IMAGE_PATIENCE:
        return Wait(message=message, verdict=error(Cause.IMAGE, message))
    return Wait(message=f"{message}; it is tried again", asks_events=True)


def _of_config(container: ContainerFacts, age: float) -> Wait:
    message = f"{container.who} cannot be set up{_told(container.message)}"
    patience = RUNTIME_PATIENCE if _passes(container.message) else CONFIG_PATIENCE
    verdict = error(Cause.CONFIG, message) if age > patience else None
    return Wait(message=message, verdict=verdict)


def _of_runtime(container: ContainerFacts, age: float) -> Wait:
    message = f"the node cannot make the container of {container.who}{_told(container.message)}"
    patience = RUNTIME_PATIENCE if _passes(container.message) else CONFIG_PATIENCE
    verdict = error(Cause.EXECUTOR, message) if age > patience else None
    return Wait(message=message, verdict=verdict)


def overdue(wait: Wait, waited: float, limit: float) -> Verdict | None:
    """Return the verdict on a Pod that has waited longer than it may, None while it has not."""
    if waited <= limit:
        return None
    return error(Cause.WAITING, f"waited longer than {show_duration(limit)}: {wait.message}")


def _image(container: ContainerFacts) -> str:
    return f"the image `{container.image}` of {container.who}"


def _told(words: str) -> str:
    return f": {words}" if words else ""


def _passes(message: str) -> bool:
    return any(words in message for words in _TRANSIENT)
