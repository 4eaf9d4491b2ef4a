"""Takes the Pod of an attempt away once its end is known, with all that is to be kept of it kept."""

from __future__ import annotations

from dataclasses import dataclass

from runner.clock import Clock
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.ends import Ends
from runner.executors.kubernetes.forgetting import GRACE
from runner.executors.kubernetes.servicelogs import ServiceLogs
from runner.executors.kubernetes.views import PodView
from runner.kube.client import KubeClient
from runner.kube.podfacts import State


@dataclass(frozen=True)
class Clearing:
    """Clears away what settled cases left in the cluster."""

    client: KubeClient
    ends: Ends
    services: ServiceLogs
    clock: Clock
    patience: Patience

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
        self.services.keep(case, pod)
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
