"""The inbox that is a database: a delivery and all that follows from it are written at once.

Whatever a forge tells twice is told once here: the same delivery by its forge id, and the same act
by its key. The repository's row is locked while a delivery is written, so that of two copies that
come at the same moment the second finds what the first has written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from pipelines.events import Event, Tag, Trust, key_of, trust_of
from pipelines.states import RunStatus
from runner.clock import Clock
from runner.database import deliveries, hooks, outbox, repositories, runs
from runner.database.connection import Database
from runner.database.deliveries import Change, StoredDelivery
from runner.database.errors import DatabaseError
from runner.database.hooks import StoredHook
from runner.database.identifiers import random_id, run_id
from runner.database.outbox import NewStatus
from runner.database.runs import Run
from runner.database.words import DeliveryOutcome
from runner.secrets import Keyring, SecretError, hook_context
from runner.settings_model import Settings
from webhooks.deliveries import Delivery, Hook, Receipt, RunRef
from webhooks.errors import InboxUnavailable
from webhooks.statuses import context_of, describe

UNTRUSTED = (
    "pull requests from forks do not run as processes of this machine; "
    "the setting local.allow_untrusted would let them"
)
HOOK_GONE = "the hook was removed while its delivery was read"
_REF_LIMIT = 1024
_TOO_LONG = f"the name of its branch or tag is longer than {_REF_LIMIT} bytes"


class DatabaseInbox:
    """Keeps deliveries and makes runs of them; `notify` is called after runs were written."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        settings: Settings,
        notify: Callable[[], None],
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._settings = settings
        self._notify = notify

    def hook(self, hook_id: str) -> Hook | None:
        """Return the hook with this id, its secrets opened, or None. May raise InboxUnavailable."""
        try:
            with self._database.read() as tx:
                stored = hooks.find(tx, hook_id)
            return None if stored is None else self._opened(stored)
        except (DatabaseError, SecretError) as error:
            raise _unavailable(error) from error

    def accept(self, delivery: Delivery) -> Receipt:
        """Keep a delivery and make the runs it asks for, in one transaction.

        Raises InboxUnavailable if nothing could be written.
        """
        try:
            receipt, news = self._database.transact(lambda tx: self._accept(tx, delivery))
        except DatabaseError as error:
            raise _unavailable(error) from error
        if news:
            self._notify()
        return receipt

    def refuse(self, hook: Hook | None, reason: str, at: float) -> None:
        """Write down that a delivery to a hook was refused; of an unknown hook nothing is kept.

        Raises InboxUnavailable if it could not be written.
        """
        if hook is None:
            return
        try:
            self._database.transact(lambda tx: self._refuse(tx, hook.id, reason, at))
        except DatabaseError as error:
            raise _unavailable(error) from error

    def _opened(self, stored: StoredHook) -> Hook:
        context = hook_context(stored.id)
        secrets = tuple(self._keyring.decrypt(secret, context) for secret in stored.secrets)
        return Hook(stored.id, stored.repository, stored.forge, secrets)

    @staticmethod
    def _refuse(tx: Connection, hook_id: str, reason: str, at: float) -> None:
        if hooks.find(tx, hook_id) is not None:
            deliveries.refuse(tx, hook_id, reason, at)

    def _accept(self, tx: Connection, delivery: Delivery) -> tuple[Receipt, bool]:
        """Return the receipt, and whether a run was written."""
        hook = hooks.find(tx, delivery.hook.id)
        if hook is None:
            raise InboxUnavailable(HOOK_GONE)
        repositories.lock(tx, hook.repository_id)
        known = deliveries.told(tx, hook.id, delivery.forge_id)
        if known is not None:
            return replace(self._receipt(tx, known, delivery), duplicate=True), False
        stored = _stored(delivery)
        deliveries.add(tx, stored)
        made = [
            self._change(tx, hook.repository_id, stored.id, position, event)
            for position, event in enumerate(delivery.events)
        ]
        receipt = self._receipt(tx, self._judged(tx, stored), delivery)
        return replace(receipt, duplicate=bool(receipt.runs) and not any(made)), any(made)

    def _change(
        self, tx: Connection, repository_id: int, delivery_id: str, position: int, event: Event
    ) -> bool:
        """Write what became of one event; return whether it made a run."""
        reason = self._objection(event)
        known = None if reason else self._known(tx, repository_id, event)
        run = None if reason or known else self._new_run(tx, repository_id, event)
        change = Change(
            delivery_id=delivery_id,
            position=position,
            ref=event.ref,
            commit=event.commit,
            run_id=run.id if run else known,
            reason=reason or ("told before" if known else None),
        )
        deliveries.add_change(tx, change)
        return run is not None

    def _objection(self, event: Event) -> str | None:
        """Return why an event may not run here, None if it may."""
        if len(event.ref.encode(errors="replace")) > _REF_LIMIT:
            return _TOO_LONG
        untrusted = trust_of(event) is Trust.UNTRUSTED
        if untrusted and self._settings.executor == "local":
            return None if self._settings.local.allow_untrusted else UNTRUSTED
        return None

    @staticmethod
    def _known(tx: Connection, repository_id: int, event: Event) -> str | None:
        """Return the id of the run that an earlier telling of this act made.

        The key of an older act is free again once the ref has been elsewhere.
        """
        key = _event_key(event)
        run = runs.keyed(tx, repository_id, key) if key else None
        if run is None:
            return None
        newest = runs.newest_of_ref(tx, repository_id, event.kind, event.ref)
        if newest is not None and newest.id != run.id:
            runs.forget_key(tx, run.id)
            return None
        return run.id

    def _new_run(self, tx: Connection, repository_id: int, event: Event) -> Run:
        """Write a queued run, and its pending status, which is held until there is a plan."""
        now = self._clock.now()
        run = Run(
            id=run_id(now),
            repository_id=repository_id,
            number=repositories.take_number(tx, repository_id),
            kind=event.kind,
            event=event,
            event_key=_event_key(event),
            trust=trust_of(event),
            ref=event.ref,
            branch=None if isinstance(event, Tag) else event.branch,
            commit=event.commit,
            message=event.message,
            author=event.author,
            created_at=now,
        )
        runs.add(tx, run)
        outbox.put(tx, self._pending(run), now)
        return run

    def _pending(self, run: Run) -> NewStatus:
        return NewStatus(
            run_id=run.id,
            repository_id=run.repository_id,
            commit=run.commit,
            context=context_of(self._settings.status_context, run.event),
            state=RunStatus.QUEUED,
            description=describe(RunStatus.QUEUED),
            url=self._address(run),
            run_attempt=run.attempt,
            sequence=0,
            held=True,
        )

    def _judged(self, tx: Connection, stored: StoredDelivery) -> StoredDelivery:
        """Return a delivery with what became of it as a whole, which is written too."""
        if stored.reason is not None:
            return stored
        changes = deliveries.changes_of(tx, stored.id)
        if any(change.run_id for change in changes):
            return stored
        reason = next((change.reason for change in changes), "it holds no event")
        deliveries.set_outcome(tx, stored.id, DeliveryOutcome.IGNORED, reason)
        return replace(stored, outcome=DeliveryOutcome.IGNORED, reason=reason)

    def _receipt(self, tx: Connection, stored: StoredDelivery, delivery: Delivery) -> Receipt:
        """Return the receipt of a delivery as it was written."""
        changes = deliveries.changes_of(tx, stored.id)
        ids = dict.fromkeys(change.run_id for change in changes if change.run_id)
        found = tuple(run for run in (runs.find(tx, one) for one in ids) if run)
        follows = bool(found) and delivery.hook.forge == "git"
        return Receipt(
            delivery=delivery.forge_id,
            runs=tuple(RunRef(run.id, run.number, self._address(run), run.ref) for run in found),
            ignored=stored.reason,
            follow=f"/deliveries/{stored.id}/progress" if follows else None,
        )

    def _address(self, run: Run) -> str:
        return f"{self._settings.url}/runs/{run.id}"


def _stored(delivery: Delivery) -> StoredDelivery:
    ignored = delivery.ignored is not None
    return StoredDelivery(
        id=random_id(),
        hook_id=delivery.hook.id,
        forge_id=delivery.forge_id,
        event=delivery.event,
        received_at=delivery.received_at,
        outcome=DeliveryOutcome.IGNORED if ignored else DeliveryOutcome.ACCEPTED,
        reason=delivery.ignored,
        body_digest=delivery.body_digest,
    )


def _event_key(event: Event) -> str | None:
    key = key_of(event)
    return deliveries.bounded(key) if key else None


def _unavailable(error: Exception) -> InboxUnavailable:
    return InboxUnavailable(f"the delivery cannot be kept now: {error}")
