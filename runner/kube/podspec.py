"""The Pod and the Secret of an attempt as plain dicts, made from an allow-list.

A pipeline chooses image, environment, resources within caps, services and the names of secrets;
everything else is the same in every Pod, and meets the *restricted* Pod Security Standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/). `docs/pods.md` says what
the containers and folders are for.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from runner.executors.base import AttemptId, Outline, Resources, Service
from runner.quantities import show_processors, show_size
from runner.settings_model import Kubernetes

Manifest: TypeAlias = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "hookline.dev/instance"
RUN = "hookline.dev/run"
ATTEMPT = "hookline.dev/attempt"
BORN = "hookline.dev/born"
STEP = "hookline.dev/step"
GO = "hookline.dev/go"
STOP = "hookline.dev/stop"
"""Labels and annotations; `BORN` is the hour in which the object was made, as `hour` writes it."""

AGENT_CONTAINER = "agent"
STEP_CONTAINER = "step"
SERVICE_PREFIX = "service-"

MARGIN = 120.0
"""Seconds that an agent has, past a step's grace, to capture and upload what the step left."""
LONGEST_WAIT = 86_400.0
"""Seconds that a Pod started ahead may wait for its turn before the cluster ends it."""

_AGENT = "/opt/hookline/bin/hookline-agent"
_LAUNCHER = "/opt/hookline/bin/launcher"
_CONTROL = "/hookline/control"
_SCRATCH = "/hookline/scratch"
_POD = "/hookline/pod"
_WORKSPACE = "/workspace"

_MI = 2**20
_AGENT_RESOURCES: Manifest = {
    "requests": {"cpu": "20m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
    "limits": {"cpu": "2", "memory": "256Mi", "ephemeral-storage": "2Gi"},
}
_DISK_REQUEST = 256 * _MI
"""What a step that says nothing of its disk takes from its node for certain."""
_LAYER = 1024 * _MI
"""Room for what a step writes outside of its folders: the image's own `/tmp`, for one."""
_NAME_PARTS = (16, 24, 12)


class Refused(ValueError):
    """No Pod can be made of what was asked for; the message says what would be right."""

    code = "pod-refused"


def pod_name(attempt: AttemptId) -> str:
    """Return the name of an attempt's Pod and Secret: a DNS label (RFC 1123) of at most 63.

    Two attempts never share one, as long as a step has fewer than ten million of them.
    """
    run_length, step_length, digest_length = _NAME_PARTS
    digest = hashlib.sha256(f"{attempt.run}\0{attempt.step}".encode()).hexdigest()
    parts = (
        _slug(attempt.run, run_length),
        _slug(attempt.step, step_length),
        digest[:digest_length],
        str(attempt.number),
    )
    return "-".join(part for part in parts if part)


def labels_of(attempt: AttemptId, instance: str, born: float) -> dict[str, str]:
    """Return the labels of what is made for an attempt; `born` is in seconds since the epoch."""
    return {
        MANAGED_BY: "hookline",
        INSTANCE: instance,
        RUN: attempt.run,
        ATTEMPT: str(attempt.number),
        BORN: hour(born),
    }


def hour(at: float) -> str:
    """Return an hour (UTC) as a label's value: `2026-11-23-21`."""
    return time.strftime("%Y-%m-%d-%H", time.gmtime(at))


def make_secret(
    outline: Outline, settings: Kubernetes, *, order_url: str, ca: str, born: float
) -> Manifest:
    """Return the Secret of an attempt: where its order lies, and the secrets its step names."""
    secrets = {f"env.{name}": value for name, value in outline.secrets.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": pod_name(outline.attempt),
            "labels": labels_of(outline.attempt, settings.instance, born),
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {"order": order_url, "ca": ca, **secrets},
    }


def make_pod(
    outline: Outline, settings: Kubernetes, *, go: bool, waiting: float, born: float
) -> Manifest:
    """Return the Pod of an attempt, which may begin at once if `go`.

    `waiting` is how many seconds it may take to be started, which with the step's own time bounds
    its life. Raise `Refused` for an outline without an image, or one that asks for too much.
    """
    grace = outline.grace + MARGIN
    annotations = {
        STEP: outline.attempt.step,
        # It cannot be moved to another node, so nothing is gained by taking its node away.
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(outline.attempt),
            "labels": labels_of(outline.attempt, settings.instance, born),
            "annotations": annotations | ({GO: "1"} if go else {}),
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": math.ceil(waiting + outline.timeout + grace + MARGIN),
            "terminationGracePeriodSeconds": math.ceil(grace),
            "serviceAccountName": settings.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": settings.user,
                "runAsGroup": settings.user,
                "fsGroup": settings.user,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "imagePullSecrets": [{"name": name} for name in settings.pull_secrets],
            **({"runtimeClassName": settings.runtime_class} if settings.runtime_class else {}),
            "containers": _containers(outline, settings),
            "volumes": _volumes(_disk(outline, settings)),
        },
    }


def _containers(outline: Outline, settings: Kubernetes) -> list[Manifest]:
    """Return agent, services and step; the kubelet starts them in this order."""
    return [
        _agent(outline, settings),
        *(_service(outline, service, settings) for service in outline.services),
        _step(outline, settings),
    ]


def _agent(outline: Outline, settings: Kubernetes) -> Manifest:
    name = pod_name(outline.attempt)
    keys = {"HOOKLINE_ORDER": "order", "HOOKLINE_CA": "ca"}
    keys |= {f"HOOKLINE_MASK_{secret}": f"env.{secret}" for secret in outline.secrets}
    return {
        "name": AGENT_CONTAINER,
        "image": settings.agent_image,
        "imagePullPolicy": settings.pull_policy,
        "command": [_AGENT],
        "env": _from_secret(name, keys),
        # The next container is not started before this has returned.
        "lifecycle": {
            "postStart": {"exec": {"command": [_LAUNCHER, "await", f"{_CONTROL}/launcher"]}}
        },
        "resources": _AGENT_RESOURCES,
        "securityContext": _confined() | {"readOnlyRootFilesystem": True},
        "volumeMounts": [
            _mount("control", _CONTROL),
            _mount("scratch", _SCRATCH),
            _mount("workspace", _WORKSPACE),
            _mount("pod", _POD, read_only=True),
            _mount("tmp", "/tmp"),  # noqa: S108 (a volume of its own)
        ],
    }


def _step(outline: Outline, settings: Kubernetes) -> Manifest:
    step = outline.attempt.step
    image = outline.image or settings.default_image
    if image is None:
        message = f"step `{step}` names no image, and kubernetes.default_image is not set"
        raise Refused(f"{message}; give the step an `image:`")
    disk = _disk(outline, settings)
    asked = _DISK_REQUEST if outline.resources.disk is None else disk
    resources = _resources(f"step `{step}`", outline.resources, settings)
    resources["requests"]["ephemeral-storage"] = str(asked)
    resources["limits"]["ephemeral-storage"] = str(2 * disk + _LAYER)
    keys = {secret: f"env.{secret}" for secret in outline.secrets}
    return {
        "name": STEP_CONTAINER,
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "command": [f"{_CONTROL}/launcher", "run", _CONTROL],
        "workingDir": _WORKSPACE,
        "env": _from_secret(pod_name(outline.attempt), keys),
        "resources": resources,
        "securityContext": _confined(),
        "volumeMounts": [
            _mount("control", _CONTROL, read_only=True),
            _mount("scratch", _SCRATCH),
            _mount("workspace", _WORKSPACE),
        ],
    }


def _service(outline: Outline, service: Service, settings: Kubernetes) -> Manifest:
    what = f"service `{service.name}` of step `{outline.attempt.step}`"
    resources = _resources(what, service.resources, settings)
    disk = service.resources.disk or settings.disk
    _within(what, disk, settings.max_disk, "disk", show_size)
    asked = service.resources.disk or min(disk, _DISK_REQUEST)
    resources["requests"]["ephemeral-storage"] = str(asked)
    resources["limits"]["ephemeral-storage"] = str(disk)
    container = {
        "name": SERVICE_PREFIX + _container_part(service.name),
        "image": service.image,
        "imagePullPolicy": settings.pull_policy,
        "env": [
            {"name": name, "value": _literal(value)} for name, value in service.environment.items()
        ],
        "resources": resources,
        "securityContext": _confined(),
    }
    if service.command:
        container["command"] = [_literal(word) for word in service.command]
    if service.ready:
        container["readinessProbe"] = {
            "exec": {"command": ["sh", "-c", _literal(service.ready)]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        }
    return container


def _container_part(name: str) -> str:
    """Return a service's name as the end of a container's; names that differ stay different."""
    slug = _slug(name, 40)
    if slug == name:
        return slug
    return f"{slug or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _confined() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _mount(name: str, path: str, *, read_only: bool = False) -> Manifest:
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def _volumes(disk: int) -> list[Manifest]:
    annotations = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}
    return [
        {"name": "control", "emptyDir": {"sizeLimit": str(16 * _MI)}},
        {"name": "scratch", "emptyDir": {"sizeLimit": str(disk)}},
        {"name": "workspace", "emptyDir": {"sizeLimit": str(disk)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": str(1024 * _MI)}},
        {"name": "pod", "downwardAPI": {"items": [annotations]}},
    ]


def _resources(what: str, asked: Resources, settings: Kubernetes) -> Manifest:
    """Return requests and limits; who says how many processors gets these and no more."""
    cpu = settings.cpu if asked.cpu is None else asked.cpu
    memory = settings.memory if asked.memory is None else asked.memory
    _within(what, cpu, settings.max_cpu, "cpu", show_processors)
    _within(what, memory, settings.max_memory, "memory", show_size)
    most = settings.max_cpu if asked.cpu is None else cpu
    return {
        "requests": {"cpu": _millis(cpu), "memory": str(memory)},
        "limits": {"cpu": _millis(most), "memory": str(memory)},
    }


def _disk(outline: Outline, settings: Kubernetes) -> int:
    disk = settings.disk if outline.resources.disk is None else outline.resources.disk
    _within(f"step `{outline.attempt.step}`", disk, settings.max_disk, "disk", show_size)
    return disk


_Amount = TypeVar("_Amount", int, float)


def _within(
    what: str, asked: _Amount, most: _Amount, kind: str, show: Callable[[_Amount], str]
) -> None:
    if asked > most:
        message = f"{what} asks for {show(asked)} of {kind}; this instance gives at most"
        raise Refused(f"{message} {show(most)} (kubernetes.max_{kind})")


def _millis(cpu: float) -> str:
    return f"{max(math.ceil(cpu * 1000), 1)}m"


def _from_secret(secret: str, keys: Mapping[str, str]) -> list[Manifest]:
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, key in keys.items()
    ]


def _literal(text: str) -> str:
    """Return a text that the kubelet leaves as it is, though it expands `$(NAME)`."""
    return text.replace("$", "$$")


def _slug(text: str, longest: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:longest].strip("-")
