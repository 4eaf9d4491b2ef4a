"""What forges delivered, and what became of each event in it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from runner.database.identifiers import random_id
from runner.database.rows import every, first
from runner.database.tables import changes, deliveries, hooks
from runner.database.words import DeliveryOutcome

REFUSED_KEPT = 100
_KEY_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class StoredDelivery:
    """A delivery; `forge_id` and `body_digest` are None for a refused one, which proved nothing."""

    id: str
    hook_id: str
    forge_id: str | None
    event: str
    received_at: float
    outcome: DeliveryOutcome
    reason: str | None = None
    body_digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of one event of a delivery: the run it led to, or the reason for none."""

    delivery_id: str
    position: int
    ref: str
    commit: str
    run_id: str | None = None
    reason: str | None = None


def bounded(key: str) -> str:
    """Return a key that fits an index, which on PostgreSQL holds less than 2704 bytes."""
    data = key.encode(errors="replace")
    if len(data) <= _KEY_BYTES:
        return key
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def add(tx: Connection, delivery: StoredDelivery) -> None:
    """Write a delivery whose forge id is new to its hook."""
    values = asdict(delivery)
    if delivery.forge_id is not None:
        values["forge_id"] = bounded(delivery.forge_id)
    tx.execute(insert(deliveries).values(values))


def add_change(tx: Connection, change: Change) -> None:
    """Write what became of one event of a delivery."""
    tx.execute(insert(changes).values(asdict(change)))


def set_outcome(
    tx: Connection, delivery_id: str, outcome: DeliveryOutcome, reason: str | None
) -> None:
    """Write what became of a delivery as a whole."""
    here = deliveries.c.id == delivery_id
    tx.execute(update(deliveries).where(here).values(outcome=outcome, reason=reason))


def refuse(tx: Connection, hook_id: str, reason: str, at: float) -> None:
    """Write a refused delivery; of each hook only the newest hundred are kept.

    Anybody who knows a hook's URL can cause one, so they must not grow without end.
    """
    refused = StoredDelivery(
        id=random_id(),
        hook_id=hook_id,
        forge_id=None,
        event="",
        received_at=at,
        outcome=DeliveryOutcome.REFUSED,
        reason=reason,
    )
    add(tx, refused)
    those = (deliveries.c.hook_id == hook_id) & (deliveries.c.outcome == DeliveryOutcome.REFUSED)
    newest_first = deliveries.c.received_at.desc(), deliveries.c.id.desc()
    old = select(deliveries.c.id).where(those).order_by(*newest_first).offset(REFUSED_KEPT)
    for delivery_id in tx.execute(old).scalars().all():
        tx.execute(delete(deliveries).where(deliveries.c.id == delivery_id))


def find(tx: Connection, delivery_id: str) -> StoredDelivery | None:
    """Return the delivery with this id."""
    return first(tx, select(deliveries).where(deliveries.c.id == delivery_id), StoredDelivery)


def told(tx: Connection, hook_id: str, forge_id: str) -> StoredDelivery | None:
    """Return the delivery by which a hook was told this forge id first."""
    here = (deliveries.c.hook_id == hook_id) & (deliveries.c.forge_id == bounded(forge_id))
    return first(tx, select(deliveries).where(here), StoredDelivery)


def changes_of(tx: Connection, delivery_id: str) -> list[Change]:
    """Return what became of a delivery's events, in their order."""
    query = select(changes).where(changes.c.delivery_id == delivery_id)
    return every(tx, query.order_by(changes.c.position), Change)


def page(
    tx: Connection, repository_id: int, before: StoredDelivery | None = None, limit: int = 50
) -> list[StoredDelivery]:
    """Return a repository's deliveries, newest first, those after `before` in that order."""
    query = select(deliveries).join_from(deliveries, hooks)
    query = query.where(hooks.c.repository_id == repository_id)
    place = tuple_(deliveries.c.received_at, deliveries.c.id)
    if before is not None:
        query = query.where(place < tuple_(before.received_at, before.id))
    order = deliveries.c.received_at.desc(), deliveries.c.id.desc()
    return every(tx, query.order_by(*order).limit(limit), StoredDelivery)
