"""Makes the Pod of an attempt and lets it go; whatever was done before by whomever is found there.

The order is written before the Pod may begin, and only while it may not: an agent that reads its
order reads the only one that there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.clock import Clock
from runner.executors.base import Order, Outline
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.errors import Occupied
from runner.executors.kubernetes.orders import Orders
from runner.executors.kubernetes.views import read_pod
from runner.kube.client import Json, KubeClient
from runner.kube.errors import AlreadyExists, NotFound
from runner.kube.podspec import GO, INSTANCE, LONGEST_WAIT, make_pod, make_secret
from runner.kube.reflector import Reflector
from runner.settings_model import Kubernetes

SOON = 0.5


@dataclass(frozen=True)
class Making:
    """Creates and lets go. What it returns are the seconds to wait, None to go on at once.

    Every method may raise `KubeError`, `ObjectStoreError`, `WorkspaceError` and `Refused`.
    """

    client: KubeClient
    reflector: Reflector
    orders: Orders
    settings: Kubernetes
    clock: Clock
    ca: str

    def make(self, case: Case, outline: Outline, order: Order | None) -> float | None:
        """Create Secret and Pod, with its order written if there is one."""
        born = self.clock.now()
        waiting = LONGEST_WAIT if order is None else self.orders.waiting
        pod = make_pod(
            outline,
            self.settings,
            go=order is not None and not outline.services,
            waiting=waiting,
            born=born,
        )
        if order is not None and not self._write(case, order):
            return None
        address = self.orders.address(case.attempt, None if order is None else outline.timeout)
        secret = make_secret(outline, self.settings, order_url=address, ca=self.ca, born=born)
        self._create_secret(case, secret)
        try:
            made = self.client.create_pod(pod)
        except AlreadyExists:
            return self.adopt(case)
        self._show(case, made)
        return None

    def let_go(self, case: Case, order: Order) -> float | None:
        """Write the order, and tell a Pod that waits for it."""
        if not self._write(case, order):
            return None
        try:
            changed = self.client.patch_annotations(case.name, {GO: "1"})
        except NotFound:
            return self.vanished(case)
        self._show(case, changed)
        return None

    def adopt(self, case: Case) -> float | None:
        """Take up the Pod that has the attempt's name; raise `Occupied` if it is not ours."""
        pod = self.client.get_pod(case.name)
        if pod is None:
            return SOON
        view = read_pod(pod)
        labels = pod["metadata"].get("labels") or {}
        ours = labels.get(INSTANCE) == self.settings.instance
        if view is None or view.attempt != case.attempt or not ours:
            raise Occupied(case.name, self.client.namespace)
        self._show(case, pod)
        return SOON if view.leaving else None

    def vanished(self, case: Case) -> float:
        """Take note that a Pod is gone that the watch still shows."""
        shown = self.reflector.get(case.name)
        if shown is not None:
            case.dismissed = str(shown["metadata"]["uid"])
        return SOON

    def _write(self, case: Case, order: Order) -> bool:
        """See to it that the order is there; return False if there is more to be looked at first.

        An order that was there was written by a server before this one. What that did next is asked
        of Kubernetes itself, as the watch may be behind, and then of the store.
        """
        if case.ordered:
            return True
        if not self.orders.create(order):
            case.found = True
            pod = self.client.get_pod(case.name)
            if pod is None:
                self.vanished(case)
            else:
                self._show(case, pod)
            if case.let_go or not case.recalled:
                return False
            self.orders.renew(order)
        case.ordered = True
        return True

    def _create_secret(self, case: Case, secret: Json) -> None:
        """Create the Secret anew: the addresses in an older one may have had their time."""
        try:
            self.client.create_secret(secret)
        except AlreadyExists:
            self.client.delete_secret(case.name)
            self.client.create_secret(secret)

    def _show(self, case: Case, pod: Json) -> None:
        """Have a Pod seen that was just told of in an answer."""
        self.reflector.expect(pod)
        view = read_pod(pod)
        case.let_go = case.let_go or (view is not None and view.go)
