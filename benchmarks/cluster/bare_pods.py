"""Bare Pods made one after the other, each when a tight watch sees the one before terminated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import kubernetes

from tests.support.cluster import Testbed


class BarePods:
    """What runs plain Pods in the testbed's namespace, as quickly as can be done."""

    def __init__(self, testbed: Testbed) -> None:
        official: Any = kubernetes
        settings = official.client.Configuration()
        official.config.load_kube_config(str(testbed.kubeconfig), client_configuration=settings)
        settings.proxy = None
        self._core = official.client.CoreV1Api(official.client.ApiClient(settings))
        self._watch = official.watch.Watch
        self._testbed = testbed
        self._made = 0

    def chain(self, length: int, script: str) -> float:
        """Return the seconds from the first Pod's creation to the last one seen terminated."""
        began = time.monotonic()
        for _ in range(length):
            self._until_terminated({self._create(script)})
        seconds = time.monotonic() - began
        self._clear()
        return seconds

    def side_by_side(self, count: int, script: str) -> float:
        """Return the seconds from the first creation to the last of all seen terminated."""
        began = time.monotonic()
        self._until_terminated({self._create(script) for _ in range(count)})
        seconds = time.monotonic() - began
        self._clear()
        return seconds

    def _create(self, script: str) -> str:
        self._made += 1
        name = f"bare-{self._made}-{time.monotonic_ns()}"
        self._core.create_namespaced_pod(self._testbed.namespace, self._pod(name, script))
        return name

    def _until_terminated(self, names: set[str]) -> None:
        for pod in self._events():
            statuses = pod.status.container_statuses or []
            if statuses and statuses[0].state.terminated is not None:
                names.discard(pod.metadata.name)
            if not names:
                return

    def _events(self) -> Iterator[Any]:
        stream = self._watch().stream(
            self._core.list_namespaced_pod,
            self._testbed.namespace,
            label_selector="bare=yes",
            timeout_seconds=300,
        )
        return (event["object"] for event in stream)

    def _clear(self) -> None:
        self._core.delete_collection_namespaced_pod(
            self._testbed.namespace, label_selector="bare=yes", grace_period_seconds=0
        )

    def _pod(self, name: str, script: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"bare": "yes"}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "main",
                        "image": self._testbed.busybox,
                        "command": ["sh", "-c", script],
                        "resources": {
                            "requests": {"cpu": "50m", "memory": "32Mi"},
                            "limits": {"cpu": "2", "memory": "128Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }
