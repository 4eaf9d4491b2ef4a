"""The executor whose attempts are Pods: what it is asked, handed to threads of its own.

No call here waits for the cluster. What is wanted of an attempt is put down in its case; threads
see to the cases (`tending`), each by one at a time, whenever a Pod has changed, a line was heard,
something was asked, or some seconds have gone. So an API server that is away is nothing but a
reason to wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from runner.clock import Clock, SystemClock
from runner.executors.base import (
    AttemptId,
    ExecutorError,
    Listener,
    Order,
    Outline,
    Sighting,
)
from runner.executors.kubernetes import sweeping
from runner.executors.kubernetes.acts import Acts
from runner.executors.kubernetes.ahead import Room, choose
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.clearing import Clearing
from runner.executors.kubernetes.ends import Ends
from runner.executors.kubernetes.errors import NotSeen
from runner.executors.kubernetes.forgetting import Forgetting
from runner.executors.kubernetes.hearing import Hearing
from runner.executors.kubernetes.making import Making
from runner.executors.kubernetes.orders import Orders
from runner.executors.kubernetes.roster import Roster
from runner.executors.kubernetes.rounds import Rounds
from runner.executors.kubernetes.servicelogs import ServiceLogs
from runner.executors.kubernetes.tending import Tending
from runner.executors.kubernetes.transcripts import Transcripts
from runner.executors.kubernetes.troubles import TROUBLES, Troubles
from runner.executors.kubernetes.views import selector
from runner.kube.client import KubeClient
from runner.kube.errors import KubeError
from runner.kube.podfacts import State
from runner.kube.reflector import Reflector
from runner.logs import LogBook
from runner.objects.base import ObjectStoreError, SharedStore
from runner.settings_model import Kubernetes
from runner.workspace.snapshots import Snapshots

PATIENCE = Patience()
SOON = 0.1


class KubernetesExecutor:
    """An executor over one namespace; it watches from when it is made until it is closed.

    `waiting` is how many seconds an attempt may wait to be started, `log_limit` how many bytes of
    a log are kept, `ca` the certificates (PEM) by which agents know the object store, if not
    those of everybody.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        settings: Kubernetes,
        objects: SharedStore,
        snapshots: Snapshots,
        logs: LogBook,
        log_limit: int,
        waiting: float,
        ca: str = "",
        clock: Clock | None = None,
        patience: Patience = PATIENCE,
        threads: int = 16,
    ) -> None:
        clock = clock or SystemClock()
        self._client = client
        self._settings = settings
        self._clock = clock
        self._patience = patience
        self._listeners: list[Listener] = []
        self._closed = False
        self._began = clock.monotonic()
        self._reflector = Reflector(client, selector(settings.instance), self._changed)
        self._roster = Roster(self._reflector)
        self._orders = Orders(objects, snapshots, log_limit, waiting, settings.memory)
        self._forgetting = Forgetting(
            client, self._orders, self._roster, settings.instance, patience
        )
        self._transcripts = Transcripts(logs, objects, log_limit)
        ends = Ends(self._orders, self._transcripts, clock, patience)
        room = Room(clock, patience.crowded, self._crowd)
        services = ServiceLogs(client, logs, clock)
        making = Making(client, self._reflector, self._orders, settings, clock, ca)
        self._tending = Tending(
            client=client,
            roster=self._roster,
            acts=Acts(making, ends, services, clock, patience, self._follow, self._roster.drop),
            clearing=Clearing(client, ends, services, clock, patience),
            room=room,
            clock=clock,
            patience=patience,
            tell=self._tell,
        )
        self._troubles = Troubles(ends, room, clock, patience)
        self._rounds = Rounds(self._see_to, threads=threads, clock=clock)
        self._reflector.start()

    def listen(self, listener: Listener) -> None:
        """Call `listener` from a thread of the executor whenever a look would show news."""
        self._listeners.append(listener)

    def prepare(self, outlines: Sequence[Outline]) -> None:
        """Create the Pods of the first outlines, as many as the settings say, without their go.

        Those that were made ready before and are not among them are deleted, also those that a
        server before this one made for the same runs.
        """
        with self._roster.mutex:
            cases = self._roster.all()
            wanted = [case.attempt for case in cases if case.order is not None]
            chosen = choose(outlines, self._settings.ahead, wanted)
            given_up = [case for case in cases if case.offered and case.attempt not in chosen]
            for attempt, outline in chosen.items():
                self._offer(attempt, outline)
            for case in given_up:
                self._offer(case.attempt, None)
            for attempt in self._roster.strays():
                self._offer(attempt, None)

    def start(self, order: Order) -> None:
        """Have the Pod of an attempt created or let go; what was started before is taken up."""
        synced = self._synced()
        with self._roster.mutex:
            case = self._roster.open(order.attempt)
            if case.order is None:
                case.order, case.offered, case.withdrawn = order, None, False
                case.stopping = case.stopping and case.let_go
                view = self._roster.view(order.attempt)
                if not synced or view is None or not view.go:
                    case.known.set()
        if case.result is not None:
            self._news(order.attempt)
        self._rounds.add(order.attempt)

    def stop(self, attempt: AttemptId) -> None:
        """Have an attempt ended: by its agent if that works already, else with its Pod."""
        with self._roster.mutex:
            self._roster.open(attempt).stopping = True
        self._rounds.add(attempt)

    def look(self, attempt: AttemptId) -> Sighting:
        """Return what is true of an attempt; raise `NotSeen` if that cannot be said soon."""
        with self._roster.mutex:
            case = self._roster.get(attempt)
            if case is None:
                case = self._roster.open(attempt)
                self._rounds.add(attempt)
        if case.offered is None and not self._wait_for(case) and case.order is None:
            why = case.trouble or self._reflector.trouble or "nothing was heard of it yet"
            raise NotSeen(attempt, why)
        return case.sighting()

    def forget(self, run: str, attempts: Iterable[AttemptId]) -> None:
        """Remove the Pods and Secrets of a run and what lies in the store for its attempts.

        What lives is left alone. Raise `ExecutorError` if the cluster or the store is away.
        """
        try:
            self._forgetting.forget(run, attempts)
        except (KubeError, ObjectStoreError) as error:
            message = f"what run {run} left in the cluster cannot be removed now: {error}"
            raise ExecutorError(message) from error

    def sweep(self, known: Collection[str]) -> tuple[str, ...]:
        """Remove what belongs to runs that are not `known`, the newest spared; return its Pods.

        `known` are the runs that have not ended. Raise `ExecutorError` if the cluster is away.
        """
        runs = {*known, *self._roster.runs}
        pods, now = self._roster.views(), self._clock.now()
        try:
            return sweeping.sweep(self._client, self._settings.instance, pods, runs, now)
        except KubeError as error:
            message = f"the cluster cannot be swept now: {error}"
            raise ExecutorError(message) from error

    def close(self) -> None:
        """Stop watching; Pods go on."""
        self._closed = True
        self._client.close()
        self._rounds.close()
        for case in self._roster.all():
            if case.hearing is not None:
                case.hearing.close()
        self._reflector.close()

    # Cases

    def _offer(self, attempt: AttemptId, outline: Outline | None) -> None:
        """Have the Pod of an attempt made ready, or given up with None."""
        case = self._roster.open(attempt)
        case.offered, case.withdrawn = outline, outline is None
        self._rounds.add(attempt)

    def _see_to(self, attempt: AttemptId) -> float | None:
        case = self._roster.get(attempt)
        if case is None or self._closed or not self._reflector.synced.is_set():
            return None if case is None or self._closed else SOON
        with case.lock:
            if case.forgotten:
                return None
            try:
                again = self._tending.go_on(case)
            except TROUBLES as error:
                again = self._troubles.take(case, error)
            else:
                self._troubles.none(case)
        self._tell(case)
        return again if case.known.is_set() else SOON

    def _is_known(self, case: Case) -> bool:
        """Return whether a look at a case shows what is true of it, as far as can be.

        Of a step that others let go, the log must have been heard to say whether it runs.
        """
        if case.result is not None or not case.let_go:
            return case.result is not None or case.order is not None
        now = self._clock.monotonic()
        patience = self._patience.words
        if case.started_at is not None and case.hearing is not None and not case.hearing.ended:
            # Its end may follow at once, if it came long ago.
            return case.waited("what follows the start", now) > patience / 10
        view = self._roster.view(case.attempt)
        if view is not None and view.facts.agent.state is State.WAITING:
            return True
        return case.waited("words", now) > patience

    def _wait_for(self, case: Case) -> bool:
        """Wait a little until it is known how a case stands; return whether it is."""
        return self._synced() and case.known.wait(self._patience.look)

    def _synced(self) -> bool:
        """Wait, only at first, until the Pods were listed; return whether they were."""
        left = self._began + self._patience.look - self._clock.monotonic()
        return self._reflector.synced.wait(max(left, 0.0))

    def _follow(self, case: Case) -> Hearing:
        """Begin to follow the log of a case's agent."""
        hearing = Hearing(
            self._client,
            case.name,
            self._transcripts.file(case.attempt),
            running=lambda: self._agent_runs(case.attempt),
            news=lambda: self._rounds.add(case.attempt),
            clock=self._clock,
        )
        hearing.begin()
        return hearing

    def _agent_runs(self, attempt: AttemptId) -> bool:
        view = self._roster.view(attempt)
        return view is not None and view.facts.agent.state is State.RUNNING

    # News

    def _changed(self, name: str) -> None:
        """Have the case seen to whose Pod has changed."""
        for attempt in self._roster.of_pod(name):
            self._rounds.add(attempt)

    def _crowd(self) -> None:
        """Have everything seen to that is only offered: it is to give way."""
        for case in self._roster.offered():
            self._rounds.add(case.attempt)

    def _tell(self, case: Case) -> None:
        """Tell of news, once it is known how the case stands."""
        if not case.known.is_set():
            # Whoever is told may be waiting for just this.
            if not self._is_known(case):
                return
            case.known.set()
        sighting = case.sighting()
        if sighting != case.told:
            case.told = sighting
            self._news(case.attempt)

    def _news(self, attempt: AttemptId) -> None:
        if not self._closed:
            for listener in tuple(self._listeners):
                listener(attempt)
