"""The runs, and who holds which of them.

A run belongs to the replica that holds its lease. Each claim raises the run's epoch, and whoever
writes about a run names the epoch of its claim: what an older one writes is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from pipelines.events import Event, Trust
from pipelines.states import RunStatus
from runner.database.errors import LeaseLost
from runner.database.rows import every, first
from runner.database.tables import changes, commands, runs

_DOCUMENTS = ("config", "plan")
_COLUMNS = [column for column in runs.c if column.name not in _DOCUMENTS]
_SELECT = select(*_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run without its documents, which `documents` returns; times are seconds since the epoch.

    `branch` is None for a tag, `source` the digest of the first snapshot. `wanted` says that there
    is something to do: it has not ended, or a command waits for it.
    """

    id: str
    repository_id: int
    number: int
    kind: str
    event: Event
    event_key: str | None = None
    trust: Trust
    ref: str
    branch: str | None = None
    commit: str
    message: str = ""
    author: str = ""
    status: RunStatus = RunStatus.QUEUED
    reason: str = ""
    warnings: tuple[str, ...] = ()
    attempt: int = 1
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    source: str | None = None
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: float | None = None
    wanted: bool = True


@dataclass(frozen=True, kw_only=True)
class Documents:
    """A run's pipeline file as it was read, and its plan; None before that."""

    config: str | None
    plan: dict[str, Any] | None


class Change(TypedDict, total=False):
    """What the holder of a run may change of it."""

    commit: str
    message: str
    author: str
    status: RunStatus
    reason: str
    warnings: tuple[str, ...]
    attempt: int
    started_at: float | None
    ended_at: float | None
    source: str
    config: str
    plan: dict[str, Any]


def add(tx: Connection, run: Run) -> None:
    """Write a new run; its number and its event key must be new to its repository."""
    tx.execute(insert(runs).values({column.name: getattr(run, column.name) for column in _COLUMNS}))


def find(tx: Connection, run_id: str) -> Run | None:
    """Return the run with this id."""
    return first(tx, _SELECT.where(runs.c.id == run_id), Run)


def numbered(tx: Connection, repository_id: int, number: int) -> Run | None:
    """Return a repository's run by its number."""
    here = (runs.c.repository_id == repository_id) & (runs.c.number == number)
    return first(tx, _SELECT.where(here), Run)


def keyed(tx: Connection, repository_id: int, event_key: str) -> Run | None:
    """Return the run that a repository made of an event with this key."""
    here = (runs.c.repository_id == repository_id) & (runs.c.event_key == event_key)
    return first(tx, _SELECT.where(here), Run)


def newest_of_ref(tx: Connection, repository_id: int, kind: str, ref: str) -> Run | None:
    """Return the newest run that an event of this kind made of a ref."""
    here = (runs.c.repository_id == repository_id) & (runs.c.kind == kind) & (runs.c.ref == ref)
    return first(tx, _SELECT.where(here).order_by(runs.c.number.desc()).limit(1), Run)


def forget_key(tx: Connection, run_id: str) -> None:
    """Let another run have the event key of this one."""
    tx.execute(update(runs).where(runs.c.id == run_id).values(event_key=None))


def documents(tx: Connection, run_id: str) -> Documents | None:
    """Return a run's documents, None if there is no such run."""
    query = select(runs.c.config, runs.c.plan).where(runs.c.id == run_id)
    return first(tx, query, Documents)


def page(
    tx: Connection,
    repository_id: int | None = None,
    *,
    branch: str | None = None,
    status: RunStatus | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Run]:
    """Return runs, newest first, those older than the run with the id `before`."""
    query = _SELECT.order_by(runs.c.id.desc()).limit(limit)
    asked = (
        (runs.c.repository_id, repository_id),
        (runs.c.branch, branch),
        (runs.c.status, status),
    )
    for column, value in asked:
        if value is not None:
            query = query.where(column == value)
    return every(tx, query if before is None else query.where(runs.c.id < before), Run)


def latest(tx: Connection, repository_id: int, branch: str, *, ended: bool = False) -> Run | None:
    """Return the newest run of what a branch holds (no pull request into it), for its badge.

    With `ended` those that still go on are passed over.
    """
    here = (runs.c.repository_id == repository_id) & (runs.c.branch == branch)
    query = _SELECT.where(here, runs.c.kind != "pull_request").order_by(runs.c.id.desc()).limit(1)
    return first(tx, query.where(runs.c.ended_at.is_not(None)) if ended else query, Run)


def claim(tx: Connection, owner: str, now: float, ttl: float, limit: int) -> list[Run]:
    """Take up to `limit` runs that want something and that nobody holds, oldest first.

    They are held until `now + ttl` and come back with the epoch of this claim. Safe with any
    number of replicas: only who sees the epoch unchanged gets the run. `owner` must be the
    process's own, as a lease that has not expired is not given away, not even to its owner.
    """
    query = select(runs.c.id, runs.c.lease_epoch).where(runs.c.wanted, _free(now))
    query = query.order_by(runs.c.id).limit(limit)
    seen = tx.execute(query.with_for_update(skip_locked=True, key_share=True)).all()
    return [
        run
        for run_id, epoch in seen
        if _take(tx, run_id, epoch, owner, now + ttl) and (run := find(tx, run_id))
    ]


def renew(tx: Connection, owner: str, run_ids: Collection[str], until: float) -> set[str]:
    """Hold runs until `until`; return those that the owner still holds, the others are lost."""
    here = runs.c.id.in_(run_ids) & (runs.c.lease_owner == owner)
    tx.execute(update(runs).where(here).values(lease_until=until))
    return set(tx.execute(select(runs.c.id).where(here)).scalars())


def release(tx: Connection, owner: str, run_ids: Collection[str]) -> None:
    """Give runs back before their lease ends; those of others are left alone."""
    here = runs.c.id.in_(run_ids) & (runs.c.lease_owner == owner)
    tx.execute(update(runs).where(here).values(lease_owner=None, lease_until=None))


def abandon(tx: Connection, owner: str) -> None:
    """Give back every run of an owner that is known to be gone."""
    here = runs.c.lease_owner == owner
    tx.execute(update(runs).where(here).values(lease_owner=None, lease_until=None))


def fence(tx: Connection, run_id: str, epoch: int) -> None:
    """Keep the run in the hands of this epoch until the transaction ends; raise `LeaseLost`."""
    query = select(runs.c.lease_epoch).where(runs.c.id == run_id)
    if tx.execute(query.with_for_update(key_share=True)).scalar() != epoch:
        raise LeaseLost(run_id, epoch)


def change(tx: Connection, run_id: str, epoch: int, **values: Unpack[Change]) -> None:
    """Change what is named of a run that is held under `epoch`. Raises `LeaseLost`."""
    fence(tx, run_id, epoch)
    if values:
        tx.execute(update(runs).where(runs.c.id == run_id).values(**values))


def settle(tx: Connection, run_id: str, epoch: int) -> bool:
    """Let go of a run that has ended, unless a command waits for it; return whether it was.

    From then on nobody claims it until a command comes. Raises `LeaseLost`.
    """
    fence(tx, run_id, epoch)
    waits = exists().where(commands.c.run_id == run_id, commands.c.done_at.is_(None))
    if tx.execute(select(waits)).scalar():
        return False
    rest = {"wanted": False, "lease_owner": None, "lease_until": None}
    tx.execute(update(runs).where(runs.c.id == run_id).values(rest))
    return True


def remove(tx: Connection, run: Run, reason: str) -> None:
    """Delete a run that turned out to be none, with its outgoing statuses.

    The changes that led to it keep the reason instead. Raises `LeaseLost` unless the run is held
    under `run.lease_epoch`.
    """
    fence(tx, run.id, run.lease_epoch)
    here = changes.c.run_id == run.id
    tx.execute(update(changes).where(here).values(run_id=None, reason=reason))
    tx.execute(delete(runs).where(runs.c.id == run.id))


def _free(now: float) -> ColumnElement[bool]:
    return runs.c.lease_owner.is_(None) | (runs.c.lease_until < now)


def _take(tx: Connection, run_id: str, seen: int, owner: str, until: float) -> bool:
    here = (runs.c.id == run_id) & (runs.c.lease_epoch == seen)
    lease = {"lease_owner": owner, "lease_epoch": seen + 1, "lease_until": until}
    return tx.execute(update(runs).where(here).values(lease)).rowcount == 1
