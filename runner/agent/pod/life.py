"""The life of an agent in a Pod: wait for its turn, read the order, run the attempt, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from runner.agent.conclusion import Conclusion, unrestored
from runner.agent.errors import OrderError
from runner.agent.masking import Masker
from runner.agent.pod.annotations import Annotations, wait_for_go, watch_for_stop
from runner.agent.pod.attempt import Ended, PodAttempt
from runner.agent.pod.carrier import Carrier
from runner.agent.pod.connections import Connections
from runner.agent.pod.console import Console
from runner.agent.pod.launcher import Launcher
from runner.agent.pod.order import PodOrder, parse
from runner.agent.pod.patience import Patience
from runner.agent.pod.places import Places
from runner.agent.pod.report import Report
from runner.agent.pod.store import PresignedStore
from runner.agent.signals import Signals, Stopped
from runner.agent.verdict import Verdict
from runner.objects.base import ObjectStoreError

_MASK = "HOOKLINE_MASK_"
# Seconds for which the store may be away; less once the attempt is to end, as its time is short.
_PATIENCE = 600.0
_PATIENCE_WHEN_STOPPED = 5.0


class Life:
    """What an agent needs to live; `environment` is that of its container."""

    def __init__(
        self,
        places: Places,
        launcher: Launcher,
        signals: Signals,
        console: Console,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places = places
        self._launcher = launcher
        self._signals = signals
        self._console = console
        self._address = environment.get("HOOKLINE_ORDER", "")
        masked = (value for name, value in environment.items() if name.startswith(_MASK))
        self._masker = Masker(masked)
        self._clock = clock
        self._connections = Connections(environment.get("HOOKLINE_CA", ""))
        self._carrier = Carrier(self._connections, Patience(self._limit, console.say))

    def live(self) -> None:
        """Run the attempt and report its end; raise nothing but what is a fault in the agent."""
        annotations = Annotations(self._places.annotations)
        try:
            with self._signals.interrupting():
                if not wait_for_go(annotations):
                    raise Stopped
                watch_for_stop(annotations)
                order = self._read_order()
        except (Stopped, ObjectStoreError, OrderError) as error:
            ended = self._without_order(_conclude(error))
            Report(self._places, self._console, None, "").send(ended)
        else:
            self._attempt(order)
        self._connections.close()

    def _attempt(self, order: PodOrder) -> None:
        store = PresignedStore(order.objects, order.upload, order.home, self._carrier)
        attempt = PodAttempt(
            self._places,
            order,
            store,
            launcher=self._launcher,
            signals=self._signals,
            console=self._console,
            masker=self._masker,
            clock=self._clock,
        )
        Report(self._places, self._console, store, order.home).send(attempt.run())

    def _read_order(self) -> PodOrder:
        if not self._address:
            raise OrderError("HOOKLINE_ORDER is empty: the agent is not told where its order lies")
        return parse(self._carrier.get(self._address, "the order"))

    def _without_order(self, conclusion: Conclusion) -> Ended:
        return Ended(conclusion.result(self._masker, None, self._clock()))

    def _limit(self) -> float:
        return _PATIENCE_WHEN_STOPPED if self._signals.stopped else _PATIENCE


def _conclude(error: BaseException) -> Conclusion:
    """Return what it means that there was no order to follow."""
    if isinstance(error, Stopped):
        return unrestored(error)
    cause = "storage" if isinstance(error, ObjectStoreError) else "executor"
    return Conclusion(verdict=Verdict(outcome="error", cause=cause, message=str(error)))
