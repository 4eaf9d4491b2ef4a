"""Commit statuses on their way to the forges: kept until taken, the newest wins.

A *target* is one context on one commit of a repository. What is put for a target is ordered by when
its run's attempt was begun, then by its sequence within the attempt; one that is no longer the
newest is never sent. At most one per target is under way at a time, so that no answer of the
network can put an older one on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from pipelines.states import RunStatus
from runner.database.connection import exclusive
from runner.database.rows import every, first, inserted
from runner.database.tables import outbox

FLIGHT_SECONDS = 120.0
# Rows looked at for each that is asked for: some wait for another of their target, some are old.
_LOOKED_AT = 10


@dataclass(frozen=True, kw_only=True)
class NewStatus:
    """A status to be sent; `sequence` grows within an attempt of the run. `held` ones wait."""

    run_id: str
    repository_id: int
    commit: str
    context: str
    state: RunStatus
    description: str
    url: str
    run_attempt: int
    sequence: int
    held: bool = False


@dataclass(frozen=True, kw_only=True)
class OutboxRow(NewStatus):
    """A status in the outbox; `open` until it is taken, refused or no longer the newest.

    `begun_at` is when the first status of its attempt was put; until `flying_until` somebody is
    sending it. Times are seconds since the epoch.
    """

    id: int
    begun_at: float
    open: bool
    created_at: float
    next_try_at: float
    flying_until: float | None
    tries: int
    taken_at: float | None
    refused: str | None
    last_error: str | None

    @property
    def age(self) -> tuple[float, str, int, int]:
        """What orders the statuses of a target."""
        return (self.begun_at, self.run_id, self.run_attempt, self.sequence)


def put(tx: Connection, status: NewStatus, at: float) -> None:
    """Write a status to be sent; one that was put before (same place in its run) stays as it was.

    Older ones of its target that nobody is sending are closed, unless this one is held.
    """
    if _known(tx, status):
        return
    values = {
        **vars(status),
        "begun_at": _begun_at(tx, status, at),
        "open": True,
        "created_at": at,
        "next_try_at": at,
        "tries": 0,
    }
    status_id = inserted(tx, insert(outbox).values(values))
    if not status.held:
        _supersede(tx, status_id)


def due(tx: Connection, now: float, limit: int) -> list[OutboxRow]:
    """Take up to `limit` statuses to be sent now, those that have waited longest first.

    For `FLIGHT_SECONDS` they are the caller's alone, who tells of the end by `taken`, `refused` or
    `later`; its own time limit must be shorter.
    """
    exclusive(tx, "outbox")
    waiting = outbox.c.open & ~outbox.c.held & (outbox.c.next_try_at <= now)
    idle = outbox.c.flying_until.is_(None) | (outbox.c.flying_until <= now)
    query = select(outbox).where(waiting, idle).order_by(outbox.c.next_try_at, outbox.c.id)
    found: list[OutboxRow] = []
    for status in every(tx, query.limit(limit * _LOOKED_AT), OutboxRow):
        if len(found) == limit:
            break
        if _may_fly(tx, status, now):
            found.append(status)
            _set(tx, status.id, flying_until=now + FLIGHT_SECONDS)
    return found


def taken(tx: Connection, status_id: int, at: float) -> None:
    """Write that the forge shows a status."""
    _set(tx, status_id, open=False, taken_at=at, flying_until=None)


def refused(tx: Connection, status_id: int, why: str) -> None:
    """Write that the forge will not take a status, however often it is sent."""
    _set(tx, status_id, open=False, refused=why, flying_until=None)


def later(tx: Connection, status_id: int, next_try_at: float, error: str) -> None:
    """Write that a status was sent in vain, and when it may be tried again."""
    again = {"next_try_at": next_try_at, "last_error": error, "flying_until": None}
    _set(tx, status_id, tries=outbox.c.tries + 1, **again)


def release_held(tx: Connection, run_id: str) -> None:
    """Let a run's held statuses go out."""
    here = (outbox.c.run_id == run_id) & outbox.c.held & outbox.c.open
    released = tx.execute(select(outbox.c.id).where(here).order_by(outbox.c.id)).scalars().all()
    for status_id in released:
        _set(tx, status_id, held=False)
        _supersede(tx, status_id)


def drop(tx: Connection, run_id: str) -> None:
    """Delete a run's statuses that were not sent yet."""
    tx.execute(delete(outbox).where(outbox.c.run_id == run_id, outbox.c.open))


def of(tx: Connection, run_id: str) -> list[OutboxRow]:
    """Return every status of a run in the order they were put."""
    query = select(outbox).where(outbox.c.run_id == run_id).order_by(outbox.c.id)
    return every(tx, query, OutboxRow)


def _known(tx: Connection, status: NewStatus) -> bool:
    query = select(outbox.c.id).where(
        outbox.c.run_id == status.run_id,
        outbox.c.context == status.context,
        outbox.c.run_attempt == status.run_attempt,
        outbox.c.sequence == status.sequence,
    )
    return tx.execute(query).first() is not None


def _begun_at(tx: Connection, status: NewStatus, at: float) -> float:
    """Return when the attempt was begun: not before an earlier one of the run, nor after a later."""
    here = (outbox.c.run_id == status.run_id) & (outbox.c.context == status.context)
    query = select(outbox.c.run_attempt, outbox.c.begun_at).where(here)
    rows: list[tuple[int, float]] = [(row[0], row[1]) for row in tx.execute(query)]
    known = [begun for attempt, begun in rows if attempt == status.run_attempt]
    before = [begun for attempt, begun in rows if attempt < status.run_attempt]
    behind = [begun for attempt, begun in rows if attempt > status.run_attempt]
    return known[0] if known else min([max([at, *before]), *behind])


def _target(tx: Connection, status: OutboxRow) -> Iterator[OutboxRow]:
    """Yield the statuses of the same target that are not held."""
    query = select(outbox).where(
        outbox.c.repository_id == status.repository_id,
        outbox.c.commit == status.commit,
        outbox.c.context == status.context,
        ~outbox.c.held,
    )
    yield from every(tx, query, OutboxRow)


def _supersede(tx: Connection, status_id: int) -> None:
    """Close what a status makes out of date; what is under way ends by itself."""
    status = first(tx, select(outbox).where(outbox.c.id == status_id), OutboxRow)
    for other in _target(tx, status) if status else ():
        if other.open and other.flying_until is None and status and other.age < status.age:
            _set(tx, other.id, open=False)


def _may_fly(tx: Connection, status: OutboxRow, now: float) -> bool:
    """Return whether a status may be sent now; close one that is no longer the newest."""
    others = list(_target(tx, status))
    if any((other.flying_until or 0) > now for other in others):
        return False
    if any(other.age > status.age for other in others):
        _set(tx, status.id, open=False, flying_until=None)
        return False
    return True


def _set(tx: Connection, status_id: int, **values: Any) -> None:
    tx.execute(update(outbox).where(outbox.c.id == status_id).values(**values))
