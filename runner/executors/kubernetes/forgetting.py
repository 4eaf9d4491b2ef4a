"""Removes what a run that is over left in the cluster, and what is of no use in the object store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.executors.base import AttemptId
from runner.executors.kubernetes.cases import Patience
from runner.executors.kubernetes.orders import Orders
from runner.executors.kubernetes.roster import Roster
from runner.executors.kubernetes.views import PodView, selector
from runner.kube.client import KubeClient
from runner.kube.podfacts import State

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for a Pod of which nothing is wanted any more."""


@dataclass(frozen=True)
class Forgetting:
    """Forgets runs. Every method may raise `KubeError` and `ObjectStoreError`."""

    client: KubeClient
    orders: Orders
    roster: Roster
    instance: str
    patience: Patience

    def forget(self, run: str, attempts: Iterable[AttemptId]) -> None:
        """Remove what these attempts of a run left, and its Secrets if nothing of it lives."""
        lives = [attempt for attempt in attempts if not self._forget(attempt)]
        lives += self._forget_ahead(run)
        if not lives:
            self.client.delete_secrets(selector(self.instance, run))
            self.roster.runs.discard(run)

    def _forget(self, attempt: AttemptId) -> bool:
        """Forget an attempt and remove what is left of it; return False if it lives."""
        view = self.roster.view(attempt)
        if self._lives(attempt, view):
            return False
        case = self.roster.get(attempt)
        if case is not None:
            # What its agent still does when it has told the end, it does within moments.
            case.cleared.wait(self.patience.linger * 2)
            self.roster.close(case)
        self._delete(view)
        self.orders.forget(attempt)
        return True

    def _lives(self, attempt: AttemptId, view: PodView | None) -> bool:
        case = self.roster.get(attempt)
        if case is not None:
            return case.result is None and (case.order is not None or case.let_go)
        return view is not None and view.go and view.facts.agent.state is not State.ENDED

    def _forget_ahead(self, run: str) -> list[AttemptId]:
        """Delete the Pods of a run that were never let go; return the attempts that live."""
        lives: list[AttemptId] = []
        for case in [case for case in self.roster.all() if case.attempt.run == run]:
            if case.order is None and not case.let_go:
                self.roster.close(case)
            else:
                lives.append(case.attempt)
        for view in self.roster.views():
            if view.attempt.run == run and not view.go and view.attempt not in lives:
                self._delete(view)
        return lives

    def _delete(self, view: PodView | None) -> None:
        """Delete a Pod, and look at it as gone from now on."""
        if view is None:
            return
        if not view.leaving:
            self.client.delete_pod(view.name, grace=GRACE, uid=view.uid)
        self.roster.hide([view])
