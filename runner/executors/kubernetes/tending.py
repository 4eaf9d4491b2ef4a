"""Brings an attempt as far as it can be brought now: one move after the other, until it must wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.clock import Clock
from runner.executors.kubernetes import verdicts
from runner.executors.kubernetes.acts import Acts
from runner.executors.kubernetes.ahead import Room
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.clearing import Clearing
from runner.executors.kubernetes.moves import Facts, Move, next_move
from runner.executors.kubernetes.records import Told
from runner.executors.kubernetes.roster import Roster
from runner.executors.kubernetes.views import PodView
from runner.kube.client import KubeClient
from runner.kube.podfacts import State
from runner.kube.podstatus import PodPhase, Reading

_MOST = 20
"""Moves in a row; more would be a circle."""


@dataclass(frozen=True)
class Tending:
    """Sees to cases; `tell` is called with a case whenever a look at it may show news."""

    client: KubeClient
    roster: Roster
    acts: Acts
    clearing: Clearing
    room: Room
    clock: Clock
    patience: Patience
    tell: Callable[[Case], None]

    def go_on(self, case: Case) -> float | None:
        """Do what can be done for a case; return the seconds after which it is to be seen again.

        The caller has its lock. Raise what the moves raise: nothing is lost by that.
        """
        for _ in range(_MOST):
            pod = self.view(case)
            if case.result is not None:
                return self.clearing.go_on(case, pod)
            says = verdicts.reading(case, case.last if pod else None, self.clock.now())
            facts = self._facts(case, pod, says)
            if pod is not None and pod.unschedulable and (facts.wanted or facts.offered):
                self.room.lacking()
                facts = replace(facts, crowded=True)
            move = next_move(facts)
            if move is Move.REST:
                return self._rest(case, pod, facts, says)
            wait = self.acts.make(move, case, pod)
            self.tell(case)
            if wait is not None or case.forgotten:
                return wait
        return self.patience.visit

    def view(self, case: Case) -> PodView | None:
        """Return a case's Pod as it is, as far as this process has heard of it or changed it."""
        pod = self.roster.view(case.attempt)
        if pod is None:
            return None
        case.last = pod.raw
        case.let_go = case.let_go or pod.go
        case.stopping = case.stopping or pod.stop
        return replace(pod, leaving=pod.leaving or pod.uid == case.dismissed)

    def _facts(self, case: Case, pod: PodView | None, says: Reading) -> Facts:
        line = case.hearing.ended if case.hearing else None
        return Facts(
            pod=pod,
            wanted=case.order is not None,
            offered=case.offered is not None,
            withdrawn=case.withdrawn,
            crowded=self.room.crowded,
            stopping=case.stopping,
            overdue=self._overdue(case, pod),
            let_go=case.let_go,
            noted=case.noted,
            unexplained=case.unexplained,
            line=line is not None,
            confirmed=line is None or self._confirmed(case, line, says),
            reported=pod is not None and bool(says.report),
            judged=pod is not None and says.verdict is not None,
            following=case.hearing is not None,
            asked=case.asked or (pod is not None and pod.stop),
        )

    def _overdue(self, case: Case, pod: PodView | None) -> bool:
        """Return whether a case that is to end has had the time for it."""
        if not case.stopping:
            return False
        now = self.clock.monotonic()
        if case.stop_by is None:
            grace = case.order.grace if case.order else pod.grace if pod else 0.0
            case.stop_by = now + grace + self.patience.margin
        return now >= case.stop_by

    def _confirmed(self, case: Case, line: Told, says: Reading) -> bool:
        """Return whether Kubernetes has said what there is to be said, or will not any more."""
        if not verdicts.needs_status(case, line) or says.verdict is not None:
            return True
        return case.waited("confirm", self.clock.monotonic()) >= self.patience.confirm

    def _rest(self, case: Case, pod: PodView | None, facts: Facts, says: Reading) -> float:
        """Note what is waited for; return after how many seconds to look without being told."""
        if pod is not None and not facts.line:
            self._ask_events(case, pod, says)
            case.waiting_for = says.message if says.phase is PodPhase.WAITING else ""
            self._hear_nothing(case, pod)
        self.tell(case)
        if facts.line:
            return self.patience.confirm / 10
        if case.stop_by is not None:
            return max(min(case.stop_by - self.clock.monotonic(), self.patience.visit), 0.01)
        return self.patience.visit

    def _ask_events(self, case: Case, pod: PodView, says: Reading) -> None:
        """Ask, now and then, for what others have to say of a Pod that does not come to run."""
        now = self.clock.monotonic()
        if not says.asks_events or case.order is None:
            return
        if case.events is None or case.waited("events", now) >= self.patience.events:
            case.events = self.client.pod_events(pod.name, pod.uid)
            case.since["events"] = now

    def _hear_nothing(self, case: Case, pod: PodView) -> None:
        """Take a step to run whose log cannot be heard, so that it is not given up as waiting."""
        deaf = case.hearing is not None and case.hearing.deaf
        if not deaf or pod.facts.step.state is not State.RUNNING:
            case.since.pop("deaf", None)
        elif case.waited("deaf", self.clock.monotonic()) >= self.patience.deaf:
            case.runs_since = pod.facts.step.started_at
