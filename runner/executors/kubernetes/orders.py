"""Writes the order of an attempt to the object store, where its agent fetches it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from runner.executors.base import AttemptId, Order
from runner.kube.podspec import MARGIN
from runner.objects.base import ObjectMissing, SharedStore
from runner.workspace.snapshots import MANIFEST_LIMIT, Snapshots

LEEWAY = 900.0
"""Seconds that addresses hold beyond all that an attempt may take: its restore, a store away."""
AHEAD = 7 * 86_400.0
"""Seconds that the address of an order holds for a Pod that waits for its turn."""


def home(attempt: AttemptId) -> str:
    """Return the prefix of an attempt's objects, below which its Pod may write."""
    return f"attempts/{attempt.run}/{attempt.name}"


def order_key(attempt: AttemptId) -> str:
    """Return the key of an attempt's order."""
    return f"{home(attempt)}/order"


def begun_key(attempt: AttemptId) -> str:
    """Return the key of the note that a Pod of the attempt was let go."""
    return f"{home(attempt)}/begun"


def stop_key(attempt: AttemptId) -> str:
    """Return the key of the note that the attempt was asked to end."""
    return f"{home(attempt)}/stop"


def result_key(attempt: AttemptId) -> str:
    """Return the key of an attempt's result."""
    return f"{home(attempt)}/result"


def log_key(attempt: AttemptId) -> str:
    """Return the key of the log that an attempt's Pod stored."""
    return f"{home(attempt)}/log"


def passing_keys(attempt: AttemptId) -> tuple[str, ...]:
    """Return the keys of what is of no use to anybody once an attempt is forgotten."""
    keys = (order_key, begun_key, stop_key, result_key, log_key)
    return tuple(key(attempt) for key in keys)


@dataclass(frozen=True)
class Orders:
    """Makes and keeps orders; `waiting` is how many seconds an attempt may wait to be started.

    `memory` is what a step has that asks for none, in bytes.

    Every method raises `ObjectStoreError`, and what loading the input's manifest raises.
    """

    objects: SharedStore
    snapshots: Snapshots
    log_limit: int
    waiting: float
    memory: int

    def address(self, attempt: AttemptId, timeout: float | None) -> str:
        """Return where the agent reads its order; no `timeout` is for a Pod that is ahead."""
        seconds = AHEAD if timeout is None else self._lifetime(timeout, 0.0)
        return self.objects.presigned_get(order_key(attempt), seconds)

    def create(self, order: Order) -> bool:
        """Write an order; return False, having changed nothing, if there was one."""
        return self.objects.create(order_key(order.attempt), self._encode(order))

    def renew(self, order: Order) -> None:
        """Write an order again, of which nobody has read the first; its addresses are new."""
        self.objects.put(order_key(order.attempt), self._encode(order))

    def input_of(self, attempt: AttemptId) -> str | None:
        """Return the snapshot that an attempt was given; None if it has no order."""
        try:
            found = json.loads(self.objects.get(order_key(attempt)))
        except ObjectMissing:
            return None
        return str(found["input"])

    def note_begun(self, attempt: AttemptId) -> None:
        """Put down that a Pod was let go: if it is gone without a result, it may have run."""
        self.objects.put(begun_key(attempt), b"")

    def has_begun(self, attempt: AttemptId) -> bool:
        """Return whether a Pod of the attempt was let go by anybody."""
        return self.objects.size(begun_key(attempt)) is not None

    def note_stop(self, attempt: AttemptId) -> None:
        """Put down that an attempt was asked to end: who finds only that it did knows by whom."""
        self.objects.put(stop_key(attempt), b"")

    def was_stopped(self, attempt: AttemptId) -> bool:
        """Return whether anybody has asked the attempt to end."""
        return self.objects.size(stop_key(attempt)) is not None

    def forget(self, attempt: AttemptId) -> None:
        """Remove order, result and log of an attempt; what its snapshots need stays."""
        self.objects.delete(passing_keys(attempt))

    def _lifetime(self, timeout: float, grace: float) -> float:
        return self.waiting + timeout + grace + MARGIN + LEEWAY

    def _encode(self, order: Order) -> bytes:
        prefix = home(order.attempt)
        seconds = self._lifetime(order.timeout, order.grace)
        largest = max(MANIFEST_LIMIT, self.log_limit) + (16 << 20)
        upload = self.objects.presigned_upload(prefix, largest, seconds)
        addresses = {
            key: self.objects.presigned_get(key, seconds)
            for key in self.snapshots.keys(order.input)
        }
        told = {
            "version": 1,
            "command": order.command,
            "environment": dict(order.environment),
            "outputs": order.outputs,
            "artifacts": order.artifacts,
            "timeout": order.timeout,
            "grace": order.grace,
            "log_limit": self.log_limit,
            "memory": order.resources.memory or self.memory,
            "input": order.input,
            "home": prefix,
            "objects": addresses,
            "upload": {"url": upload.url, "fields": dict(upload.fields), "prefix": upload.prefix},
        }
        return json.dumps(told).encode()
