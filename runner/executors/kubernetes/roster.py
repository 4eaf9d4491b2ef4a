"""All attempts that the executor looks after, and the Pods of all attempts as they are known now."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from runner.executors.base import AttemptId
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.views import PodView, read_pod
from runner.kube.podspec import pod_name
from runner.kube.reflector import Reflector


class Roster:
    """The cases, by attempt; whoever does more than one thing with them holds `mutex`.

    `runs` are the runs that this process has to do with.
    """

    def __init__(self, reflector: Reflector) -> None:
        self.mutex = threading.RLock()
        self.runs: set[str] = set()
        self._reflector = reflector
        self._cases: dict[AttemptId, Case] = {}
        self._hidden: set[str] = set()

    def get(self, attempt: AttemptId) -> Case | None:
        """Return the case of an attempt, None if it has none."""
        with self.mutex:
            return self._cases.get(attempt)

    def open(self, attempt: AttemptId) -> Case:
        """Return the case of an attempt, a new one if it has none."""
        with self.mutex:
            self.runs.add(attempt.run)
            return self._cases.setdefault(attempt, Case(attempt))

    def all(self) -> list[Case]:
        """Return all cases."""
        with self.mutex:
            return list(self._cases.values())

    def offered(self) -> list[Case]:
        """Return the cases of what is to be made ready ahead."""
        return [case for case in self.all() if case.offered is not None]

    def of_pod(self, name: str) -> list[AttemptId]:
        """Return the attempts that have a case and a Pod of this name, there or gone."""
        pod = self._reflector.get(name)
        view = None if pod is None else read_pod(pod)
        if view is not None:
            return [view.attempt] if self.get(view.attempt) else []
        return [case.attempt for case in self.all() if case.name == name]

    def drop(self, case: Case) -> None:
        """Forget a case of which nothing is wanted, unless something has been meanwhile."""
        with self.mutex:
            if case.order is None and case.offered is None:
                self._forget(case)

    def close(self, case: Case) -> None:
        """Forget a case, whatever is wanted of it, once nobody does anything about it."""
        with case.lock, self.mutex:
            self._forget(case)

    def view(self, attempt: AttemptId) -> PodView | None:
        """Return the Pod of an attempt, None if it has none."""
        pod = self._reflector.get(pod_name(attempt))
        return None if pod is None else self._shown(read_pod(pod))

    def views(self) -> list[PodView]:
        """Return the Pods of all attempts, also of those that have no case."""
        found = (self._shown(read_pod(pod)) for pod in self._reflector.pods.values())
        return [view for view in found if view is not None]

    def hide(self, pods: Iterable[PodView]) -> None:
        """Look at Pods as gone from now on: they were deleted, and nobody asks for them again."""
        there = {str(pod["metadata"].get("uid")) for pod in self._reflector.pods.values()}
        with self.mutex:
            self._hidden.intersection_update(there)
            self._hidden.update(pod.uid for pod in pods)

    def strays(self) -> list[AttemptId]:
        """Return whose Pods wait for a go and have no case: those of a server before this one.

        Only of runs that this process has to do with; others may belong to others.
        """
        with self.mutex:
            return [
                view.attempt
                for view in self.views()
                if not (view.go or view.leaving)
                and view.attempt.run in self.runs
                and view.attempt not in self._cases
            ]

    def _shown(self, view: PodView | None) -> PodView | None:
        return None if view is None or view.uid in self._hidden else view

    def _forget(self, case: Case) -> None:
        case.forgotten = True
        if self._cases.get(case.attempt) is case:
            del self._cases[case.attempt]
