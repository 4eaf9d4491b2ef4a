"""How each move is made; `moves` says which one, `tending` has them made in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from runner.clock import Clock
from runner.executors.kubernetes import records, verdicts
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.ends import Ends
from runner.executors.kubernetes.hearing import Hearing
from runner.executors.kubernetes.making import Making
from runner.executors.kubernetes.moves import Move
from runner.executors.kubernetes.records import Told
from runner.executors.kubernetes.servicelogs import ServiceLogs
from runner.executors.kubernetes.views import PodView
from runner.kube.errors import NotFound
from runner.kube.podspec import STOP
from runner.kube.podstatus import Reading
from runner.objects.base import ObjectStoreError

log = logging.getLogger("hookline.kubernetes")

Listen: TypeAlias = Callable[[Case], Hearing]

_IDLE = 1.0
"""Seconds that a Pod has to end whose agent has not begun anything."""
_KILLED = 10.0
"""Seconds after which a Pod is killed again that is still there."""


@dataclass(frozen=True)
class Acts:
    """Makes moves. `listen` follows a case's log, `drop` forgets a case if nothing is wanted of it.

    What a move returns are the seconds to wait after it, None to go on at once. Every one may
    raise `KubeError`, `ObjectStoreError`, `WorkspaceError`, `Refused` and `ExecutorError`.
    """

    making: Making
    ends: Ends
    services: ServiceLogs
    clock: Clock
    patience: Patience
    listen: Listen
    drop: Callable[[Case], None]

    def make(self, move: Move, case: Case, pod: PodView | None) -> float | None:
        """Make a move for a case, whose Pod this is."""
        acts: Mapping[Move, Callable[[], float | None]] = {
            Move.MAKE: partial(self._make, case),
            Move.LET_GO: partial(self._let_go, case),
            Move.NOTE: partial(self._note, case),
            Move.FOLLOW: partial(self._follow, case),
            Move.ASK_TO_STOP: partial(self._ask_to_stop, case),
            Move.DISMISS: partial(self._dismiss, case, pod),
            Move.KILL: partial(self._kill, case),
            Move.CANCEL: partial(self._cancel, case),
            Move.BELIEVE_LINE: partial(self._believe_line, case, pod),
            Move.BELIEVE_MESSAGE: partial(self._believe_message, case, pod),
            Move.BELIEVE_STATUS: partial(self._believe_status, case, pod),
            Move.RECALL: partial(self._recall, case),
            Move.DROP: partial(self._drop, case),
        }
        return acts[move]()

    # Towards the start

    def _make(self, case: Case) -> float | None:
        outline = case.order.outline if case.order else case.offered
        return None if outline is None else self.making.make(case, outline, case.order)

    def _let_go(self, case: Case) -> float | None:
        return None if case.order is None else self.making.let_go(case, case.order)

    def _note(self, case: Case) -> None:
        orders = self.making.orders
        if not case.begun_noted:
            orders.note_begun(case.attempt)
            case.begun_noted = True
        if case.asked:
            orders.note_stop(case.attempt)
            case.stop_noted = True

    def _follow(self, case: Case) -> None:
        case.hearing = self.listen(case)

    # Towards an end before its time

    def _ask_to_stop(self, case: Case) -> float | None:
        try:
            self.making.client.patch_annotations(case.name, {STOP: "1"})
        except NotFound:
            return self.making.vanished(case)
        case.asked = True
        return None

    def _dismiss(self, case: Case, pod: PodView | None) -> None:
        if pod is not None:
            self._keep_services(case, pod)
            grace = None if case.let_go else _IDLE
            self.making.client.delete_pod(case.name, grace=grace, uid=pod.uid)
            case.dismissed = pod.uid
        case.asked = True

    def _keep_services(self, case: Case, pod: PodView) -> None:
        """Keep what services wrote that did not become ready in time: it may say why."""
        if case.stopping:
            try:
                self.services.keep(case, pod)
            except ObjectStoreError as error:
                log.warning("the logs of the services of %s are lost: %s", pod.name, error)

    def _kill(self, case: Case) -> float:
        self.making.client.delete_pod(case.name, grace=0)
        case.stop_by = self.clock.monotonic() + _KILLED
        return self.patience.again

    def _cancel(self, case: Case) -> None:
        message = "stopped before it started"
        self.ends.settle(case, records.never_began(message, self.clock.now()))

    def _drop(self, case: Case) -> None:
        case.known.set()
        self.drop(case)

    # What became of it

    def _believe_line(self, case: Case, pod: PodView | None) -> float | None:
        told = case.hearing.ended if case.hearing else None
        return None if told is None else self._believe(case, told, pod)

    def _believe_message(self, case: Case, pod: PodView | None) -> float | None:
        """Believe the termination message; the log's last lines may still be on their way."""
        message = pod.facts.agent.message if pod is not None else ""
        if self._still_hears(case):
            return self.patience.confirm / 25
        try:
            told = records.read(message)
        except ValueError as error:
            told = Told(result=self.ends.senseless(case, error))
        return self._believe(case, told, pod)

    def _still_hears(self, case: Case) -> bool:
        """Return whether the log may still tell more, and there is time to wait for it."""
        hearing = case.hearing
        if hearing is None or hearing.over or hearing.ended is not None:
            return False
        return case.waited("last lines", self.clock.monotonic()) < self.patience.confirm

    def _believe(self, case: Case, told: Told, pod: PodView | None) -> float | None:
        says = self._reading(case, pod)
        return self.ends.by_told(
            case, told, lambda result: verdicts.blame(result, told, case, says)
        )

    def _believe_status(self, case: Case, pod: PodView | None) -> float | None:
        """Believe what Kubernetes says, unless the agent has told the object store otherwise."""
        if case.let_go and not case.stopping:
            case.stopping = self.making.orders.was_stopped(case.attempt)
        told = self.ends.recorded(case) if case.let_go else None
        if told is not None:
            return self._believe(case, told, pod)
        says = self._reading(case, pod)
        self.ends.by_result(case, verdicts.lost(case, says, self.clock.now()))
        return None

    def _recall(self, case: Case) -> float | None:
        """See what is known of an attempt that has no Pod, or had one before we came."""
        if case.let_go and (pod := self.making.client.get_pod(case.name)) is not None:
            self.making.reflector.expect(pod)
            return self.patience.again
        if case.let_go or self._was_let_go(case):
            return self._believe_status(case, None)
        case.recalled = True
        return None

    def _was_let_go(self, case: Case) -> bool:
        """Return whether the store knows of a Pod that was let go, by us or by others."""
        orders = self.making.orders
        case.let_go = orders.has_begun(case.attempt) or self.ends.recorded(case) is not None
        return case.let_go

    def _reading(self, case: Case, pod: PodView | None) -> Reading:
        return verdicts.reading(case, None if pod is None else case.last, self.clock.now())
