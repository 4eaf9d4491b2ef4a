"""Pods as a real cluster tells them, in every state that tests need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NOW = 1_790_000_000.0
REPORT = '{"outcome": "success", "ended_at": 1.0}'

Json = dict[str, Any]


def at(seconds_ago: float) -> str:
    """Return a time before `NOW`, as Kubernetes writes it."""
    return datetime.fromtimestamp(NOW - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(reason: str = "ContainerCreating", message: str = "") -> Json:
    """Return the state of a container that does not run yet."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def running(seconds_ago: float = 20) -> Json:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": at(seconds_ago)}}


def ended(code: int = 0, *, reason: str = "", message: str = "", seconds_ago: float = 1) -> Json:
    """Return the state of a container that has ended."""
    state = {
        "exitCode": code,
        "reason": reason or ("Error" if code else "Completed"),
        "startedAt": at(seconds_ago + 10),
        "finishedAt": at(seconds_ago),
        "containerID": "containerd://1f0c",
    }
    return {"terminated": state | ({"message": message} if message else {})}


def unstarted(message: str) -> Json:
    """Return the state of a container whose first process could not be started."""
    words = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f"runc create failed: unable to start container process: {message}: unknown"
    )
    state = {
        "exitCode": 128,
        "reason": "StartError",
        "message": words,
        "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": at(1),
    }
    return {"terminated": state}


def vanished() -> Json:
    """Return the state that a kubelet writes when it cannot tell how a container ended."""
    message = "The container could not be located when the pod was terminated"
    state = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": message,
        "startedAt": None,
        "finishedAt": None,
    }
    return {"terminated": state}


def condition(
    kind: str, holds: bool, reason: str = "", message: str = "", seconds_ago: float = 20
) -> Json:
    """Return a condition of a Pod."""
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": at(seconds_ago),
        **({"reason": reason} if reason else {}),
        **({"message": message} if message else {}),
    }


def disrupted(reason: str, message: str = "") -> Json:
    """Return the condition of a Pod that the cluster takes away."""
    return condition("DisruptionTarget", True, reason, message)


def pod(
    phase: str = "Running",
    *,
    agent: Json | None = None,
    step: Json | None = None,
    services: Mapping[str, Json] | None = None,
    unready: bool = False,
    go: bool = True,
    bound: bool = True,
    age: float = 30,
    deleted: float | None = None,
    conditions: tuple[Json, ...] = (),
    statuses: bool = True,
    reason: str = "",
    message: str = "",
) -> Json:
    """Return a Pod with an agent, services and a step; without `statuses` none of its containers'.

    `age` and `deleted` are seconds ago: when it was created, and by when it had to be gone.
    """
    states = {
        "agent": agent or running(),
        **{f"service-{name}": state for name, state in (services or {}).items()},
        "step": step or running(),
    }
    annotations = {"hookline.dev/step": "test"} | ({"hookline.dev/go": "1"} if go else {})
    metadata: Json = {
        "name": "run-test-1",
        "namespace": "hookline-runs",
        "uid": "0c4e",
        "creationTimestamp": at(age),
        "annotations": annotations,
    }
    if deleted is not None:
        metadata |= {"deletionTimestamp": at(deleted), "deletionGracePeriodSeconds": 30}
    status = {
        "phase": phase,
        "conditions": [condition("PodScheduled", bound, seconds_ago=age), *conditions],
        "qosClass": "Burstable",
        **({"startTime": at(age)} if bound else {}),
        **({"reason": reason} if reason else {}),
        **({"message": message} if message else {}),
    }
    if statuses and bound:
        status["containerStatuses"] = [
            _status(name, state, unready) for name, state in states.items()
        ]
    spec = {
        "restartPolicy": "Never",
        "containers": [_container(name) for name in states],
        **({"nodeName": "node-1"} if bound else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def pulling(name: str, reason: str, message: str, age: float = 15, *, go: bool = True) -> Json:
    """Return a Pod of which one container waits for a reason, as its image not being there."""
    states: dict[str, Json] = {
        "agent": running(),
        "step": waiting(),
        name: waiting(reason, message),
    }
    services = {key.removeprefix("service-"): s for key, s in states.items() if "service-" in key}
    return pod(
        "Pending", agent=states["agent"], step=states["step"], services=services, age=age, go=go
    )


def event(reason: str, message: str, count: int = 1, seconds_ago: float = 1) -> Json:
    """Return an event about the Pod."""
    return {
        "reason": reason,
        "message": message,
        "count": count,
        "type": "Warning",
        "lastTimestamp": at(seconds_ago),
    }


def _container(name: str) -> Json:
    images = {"agent": "hookline:1", "step": "python:3.12"}
    container = {
        "name": name,
        "image": images.get(name, "postgres:16"),
        "resources": {"limits": {"memory": "256Mi" if name == "agent" else "512Mi"}},
    }
    probe = {"exec": {"command": ["sh", "-c", "pg_isready"]}}
    return container | ({"readinessProbe": probe} if name.startswith("service-") else {})


def _status(name: str, state: Json, unready: bool) -> Json:
    return {
        "name": name,
        "state": state,
        "lastState": {},
        "ready": "running" in state and not unready,
        "restartCount": 0,
        "image": "",
        "imageID": "",
        "started": "running" in state,
    }
