"""Takes the Pod of an attempt away once its end is known, with all that is to be kept of it kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from runner.clock import Clock
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.ends import Ends
from runner.executors.kubernetes.forgetting import GRACE
from runner.executors.kubernetes.views import PodView
from runner.kube.client import KubeClient
from runner.kube.errors import KubeError, NotFound, NotReady
from runner.kube.podfacts import State
from runner.kube.podspec import SERVICE_PREFIX
from runner.logs import LogBook

log = logging.getLogger("hookline.kubernetes")


@dataclass(frozen=True)
class Clearing:
    """Clears away what settled cases left in the cluster."""

    client: KubeClient
    ends: Ends
    logs: LogBook
    clock: Clock
    patience: Patience
    log_limit: int

    def go_on(self, case: Case, pod: PodView | None) -> float | None:
        """Do what can be done now; return after how many seconds to ask again, None if all is.

        Raise `KubeError` or `ObjectStoreError`.
        """
        if case.hearing is not None:
            case.hearing.close()
        if pod is None:
            self.ends.store(case)
            case.cleared.set()
            return None
        if pod.leaving:
            return self._insist(case, pod)
        if (left := self._lingers(case, pod)) > 0:
            return left
        self.ends.store(case)
        self._keep_services(case, pod)
        self.client.delete_pod(case.name, grace=GRACE, uid=pod.uid)
        case.dismissed = pod.uid
        case.cleared.set()
        return self._insist(case, pod)

    def _lingers(self, case: Case, pod: PodView) -> float:
        """Return for how many seconds the agent may still do what it does after telling the end."""
        if case.log is None or pod.facts.agent.state is not State.RUNNING:
            return 0.0
        return self.patience.linger - case.waited("linger", self.clock.monotonic())

    def _insist(self, case: Case, pod: PodView) -> float:
        """Delete by force a Pod that does not leave, as one does not whose node is gone."""
        left = self.patience.leave - case.waited("leave", self.clock.monotonic())
        if left <= 0:
            self.client.delete_pod(case.name, grace=0, uid=pod.uid)
            case.since.pop("leave")
            return self.patience.leave
        return left

    def _keep_services(self, case: Case, pod: PodView) -> None:
        """Keep the logs of the services; one that cannot be read now will never be."""
        for container in () if case.kept else pod.facts.services:
            try:
                stream = self.client.pod_log(case.name, container.name, limit=self.log_limit)
                with stream:
                    lines = _stamped(b"".join(stream), self.clock.now())
            except (NotReady, NotFound):
                continue
            except KubeError as error:
                log.warning("the log of %s of %s is lost: %s", container.name, case.name, error)
                continue
            service = container.name.removeprefix(SERVICE_PREFIX)
            self.logs.keep_service(case.attempt, service, lines)
        case.kept = True


def _stamped(data: bytes, at: float) -> Iterable[bytes]:
    """Yield lines as logs hold them, with the time at which they were read."""
    stamp = b"%.6f " % at
    for line in data.splitlines():
        yield stamp + line + b"\n"
