"""Keeps what the services of a step wrote, which nobody reads while they run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from runner.agent.masking import Masker
from runner.clock import Clock
from runner.executors.base import AttemptId
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.views import PodView
from runner.kube.errors import KubeError, NotFound, NotReady
from runner.kube.podfacts import ContainerFacts
from runner.kube.podspec import SERVICE_PREFIX, STEP_CONTAINER
from runner.logs import LogBook

LARGEST = 16 << 20
"""Bytes of a service's log that are kept, from its beginning."""

_CUT = b"[the log is larger than %d bytes: the rest is not kept]"

log = logging.getLogger("hookline.kubernetes")


class Source(Protocol):
    """Where logs are read: `KubeClient`."""

    def pod_log(
        self, name: str, container: str, *, limit: int | None
    ) -> AbstractContextManager[Iterable[bytes]]:
        """Return a container's log."""


@dataclass(frozen=True)
class ServiceLogs:
    """Reads logs of services from `source` into `logs`."""

    source: Source
    logs: LogBook
    clock: Clock

    def keep(self, case: Case, pod: PodView) -> None:
        """Keep the logs of all services of a case, once; what cannot be read now never will be.

        A step may tell its services its secrets, so these are masked. If they are not known, as
        the case has no order, and there are any, nothing is kept. Raise `ObjectStoreError`.
        """
        if case.kept:
            return
        if case.order is None and _has_secrets(pod.raw):
            log.warning("the logs of the services of %s are lost: they may hold secrets", pod.name)
        else:
            secrets = case.order.secrets.values() if case.order else ()
            for container in pod.facts.services:
                self._keep(case.attempt, pod, container, Masker(secrets))
        case.kept = True

    def _keep(
        self, attempt: AttemptId, pod: PodView, container: ContainerFacts, masker: Masker
    ) -> None:
        data = self._read(pod, container)
        if data is not None:
            lines = _stamped(masker.feed(data) + masker.flush(), self.clock.now())
            service = container.name.removeprefix(SERVICE_PREFIX)
            self.logs.keep_service(attempt, service, lines)

    def _read(self, pod: PodView, container: ContainerFacts) -> bytes | None:
        """Return what a service wrote, None if that cannot be had."""
        try:
            with self.source.pod_log(pod.name, container.name, limit=LARGEST) as stream:
                data = b"".join(stream)
        except (NotReady, NotFound):
            return None
        except KubeError as error:
            log.warning("the log of %s of Pod %s is lost: %s", container.who, pod.name, error)
            return None
        return data if len(data) < LARGEST else data + b"\n" + _CUT % LARGEST


def _has_secrets(pod: Mapping[str, Any]) -> bool:
    """Return whether the step of a Pod, as the API server tells it, was given secrets."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return any(each.get("env") for each in containers if each.get("name") == STEP_CONTAINER)


def _stamped(data: bytes, at: float) -> Iterator[bytes]:
    """Yield lines as logs hold them, with the time at which they were read."""
    stamp = b"%.6f " % at
    for line in data.removesuffix(b"\n").split(b"\n") if data else ():
        yield stamp + line + b"\n"
