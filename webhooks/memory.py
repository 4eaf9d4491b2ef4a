"""An inbox in memory: the twin of the one in the database, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Lock

from pipelines.events import Event, key_of
from webhooks.deliveries import Delivery, Hook, Receipt, RunRef
from webhooks.errors import InboxUnavailable


@dataclass(frozen=True)
class Refusal:
    """A delivery that was refused; `hook_id` is None where no hook was meant or known."""

    hook_id: str | None
    reason: str
    at: float


class MemoryInbox:
    """Keeps deliveries, runs and refusals in lists that a test can look at.

    `address` is what run URLs begin with; `follow` the path under which runs can be followed, None
    if they cannot. Set `available` to False and it behaves like a database that is away.
    """

    def __init__(
        self,
        hooks: Iterable[Hook],
        *,
        address: str = "http://localhost:8000",
        follow: str | None = None,
    ) -> None:
        self.available = True
        self.deliveries: list[Delivery] = []
        self.runs: list[RunRef] = []
        self.refusals: list[Refusal] = []
        self._hooks = {hook.id: hook for hook in hooks}
        self._address = address
        self._follow = follow
        self._receipts: dict[tuple[str, str], Receipt] = {}
        self._acts: dict[tuple[str, str, str], tuple[str, RunRef]] = {}
        self._numbers: dict[str, int] = {}
        self._lock = Lock()

    def hook(self, hook_id: str) -> Hook | None:
        self._check()
        return self._hooks.get(hook_id)

    def accept(self, delivery: Delivery) -> Receipt:
        self._check()
        place = (delivery.hook.id, delivery.forge_id)
        with self._lock:
            if place in self._receipts:
                return replace(self._receipts[place], duplicate=True)
            self._receipts[place] = self._keep(delivery)
            return self._receipts[place]

    def refuse(self, hook: Hook | None, reason: str, at: float) -> None:
        self._check()
        self.refusals.append(Refusal(hook.id if hook else None, reason, at))

    def _check(self) -> None:
        if not self.available:
            problem = "the inbox is away"
            raise InboxUnavailable(problem)

    def _keep(self, delivery: Delivery) -> Receipt:
        before = len(self.runs)
        self.deliveries.append(delivery)
        runs = tuple(dict.fromkeys(self._run_of(delivery.hook, event) for event in delivery.events))
        return Receipt(
            delivery=delivery.forge_id,
            runs=runs,
            duplicate=bool(runs) and len(self.runs) == before,
            ignored=delivery.ignored,
            follow=f"{self._follow}/{runs[0].id}" if self._follow and runs else None,
        )

    def _run_of(self, hook: Hook, event: Event) -> RunRef:
        place, key = (hook.id, event.kind, event.ref), key_of(event)
        last_key, last = self._acts.get(place, ("", None))
        if last is not None and key and key == last_key:
            return last
        run = self._new_run(hook, event)
        self._acts[place] = (key, run)
        return run

    def _new_run(self, hook: Hook, event: Event) -> RunRef:
        number = self._numbers.get(hook.repository, 0) + 1
        self._numbers[hook.repository] = number
        run_id = f"run-{len(self.runs) + 1}"
        run = RunRef(run_id, number, f"{self._address}/runs/{run_id}", event.ref)
        self.runs.append(run)
        return run
