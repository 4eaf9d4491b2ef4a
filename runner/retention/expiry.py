"""Which runs have outlived their time, and which snapshots the others need.

Everything is asked *as of* a moment, and what has expired stays so. Nobody begins to use what has
expired now (a rerun, a source to build on), and only what had expired a grace time ago is removed.
So whoever began in time has that long to say that he goes on, in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select, update

from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.tables import attempts, changes, deliveries, hooks, runs
from runner.retention.policy import Policy

REMOVED = "its run was removed when its time was over"
_AT_ONCE = 1000


def has_expired(
    tx: Connection, repository: Repository, policy: Policy, run: Run, at: float
) -> bool:
    """Whether what a run would begin again with had outlived its time at a moment (epoch seconds).

    That is its workspaces. A run that never came to have a source begins again with its commit,
    as long as there is the run itself.
    """
    age = policy.runs if run.source is None else policy.workspaces
    here = _expired(repository, policy, age, at).where(runs.c.id == run.id)
    return tx.execute(here).first() is not None


def newest_source(tx: Connection, repository: Repository, policy: Policy, at: float) -> str | None:
    """Return the source of the newest run whose workspaces have not expired, None without one."""
    here = runs.c.id.in_(_kept(repository, policy, at)) & runs.c.source.is_not(None)
    newest = select(runs.c.source).where(here).order_by(runs.c.id.desc()).limit(1)
    return tx.execute(newest).scalar()


def snapshots(tx: Connection, repository: Repository, policy: Policy, at: float) -> Iterator[str]:
    """Yield the sources and the attempts' snapshots of the runs that had not expired."""
    kept = _kept(repository, policy, at)
    sources = select(runs.c.source).where(runs.c.id.in_(kept), runs.c.source.is_not(None))
    yield from _streamed(tx, sources)
    left = select(attempts.c.snapshot).where(
        attempts.c.run_id.in_(kept), attempts.c.snapshot.is_not(None)
    )
    yield from _streamed(tx, left)


def with_workspaces(
    tx: Connection, repository: Repository, policy: Policy, at: float
) -> Iterator[str]:
    """Yield the ids of the runs whose workspaces had not expired."""
    return _streamed(tx, _kept(repository, policy, at))


def all_runs(tx: Connection) -> Iterator[str]:
    """Yield the ids of all runs that there are."""
    return _streamed(tx, select(runs.c.id))


def any_run(tx: Connection) -> bool:
    """Whether there is any run at all."""
    return tx.execute(select(runs.c.id).limit(1)).first() is not None


def oldest_begin(tx: Connection) -> float | None:
    """Return when the oldest round began of the runs that go on, None if none does."""
    begun = func.min(func.coalesce(runs.c.started_at, runs.c.created_at))
    going_on = runs.c.ended_at.is_(None) | runs.c.wanted
    return tx.execute(select(begun).where(going_on)).scalar()


def count_runs(tx: Connection, repository: Repository, policy: Policy, at: float) -> int:
    """Return how many runs `remove_runs` would remove."""
    return _count(tx, _expired(repository, policy, policy.runs, at))


def count_deliveries(tx: Connection, repository: Repository, policy: Policy, at: float) -> int:
    """Return how many deliveries `remove_deliveries` would remove."""
    return _count(tx, _old_deliveries(repository, policy, at))


def remove_runs(
    tx: Connection, repository: Repository, policy: Policy, at: float, limit: int = 100
) -> int:
    """Delete up to `limit` runs that have expired, with all that was written of them.

    Returns how many those were. The changes that led to them stay, and say what became of them.
    """
    found = _expired(repository, policy, policy.runs, at).order_by(runs.c.id).limit(limit)
    ids = tx.execute(found).scalars().all()
    tx.execute(update(changes).where(changes.c.run_id.in_(ids)).values(run_id=None, reason=REMOVED))
    tx.execute(delete(runs).where(runs.c.id.in_(ids)))
    return len(ids)


def remove_deliveries(
    tx: Connection, repository: Repository, policy: Policy, at: float, limit: int = _AT_ONCE
) -> int:
    """Delete up to `limit` deliveries as old as that of which no run is left; return how many."""
    ids = tx.execute(_old_deliveries(repository, policy, at).limit(limit)).scalars().all()
    tx.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)


def _kept(repository: Repository, policy: Policy, at: float) -> Select[tuple[str]]:
    expired = _expired(repository, policy, policy.workspaces, at)
    return select(runs.c.id).where(_of(repository), runs.c.id.not_in(expired))


def _expired(repository: Repository, policy: Policy, age: float, at: float) -> Select[tuple[str]]:
    """Select the ids of runs that ended more than `age` seconds before, and are none of the newest.

    One that somebody wants something of has not ended, whatever its row says.
    """
    return select(runs.c.id).where(
        _of(repository),
        runs.c.ended_at < at - age,
        ~runs.c.wanted,
        runs.c.id.not_in(_newest(repository, policy, at)),
    )


def _newest(repository: Repository, policy: Policy, at: float) -> Select[tuple[str]]:
    """Select the ids of the newest runs of each branch that is still in use.

    Only runs count that were there at that moment: so a run that is overtaken expires then, and
    not before. Pull requests and tags are no branches: there is no end of them.
    """
    branch, created = runs.c.branch, runs.c.created_at
    place = func.row_number().over(partition_by=branch, order_by=runs.c.id.desc())
    latest = func.max(created).over(partition_by=branch)
    ranked = (
        select(runs.c.id, branch, place.label("place"), latest.label("latest"))
        .where(_of(repository), branch.is_not(None), runs.c.kind != "pull_request", created <= at)
        .subquery()
    )
    used = ranked.c.latest >= at - policy.branches
    default = ranked.c.branch == repository.default_branch
    return select(ranked.c.id).where(ranked.c.place <= policy.keep, default | used)


def _old_deliveries(repository: Repository, policy: Policy, at: float) -> Select[tuple[str]]:
    of_run = (changes.c.delivery_id == deliveries.c.id) & changes.c.run_id.is_not(None)
    query = select(deliveries.c.id).join_from(deliveries, hooks)
    return query.where(
        hooks.c.repository_id == repository.id,
        deliveries.c.received_at < at - policy.runs,
        ~exists().where(of_run),
    )


def _of(repository: Repository) -> ColumnElement[bool]:
    return runs.c.repository_id == repository.id


def _streamed(tx: Connection, query: Select[Any]) -> Iterator[str]:
    """Yield the first column of the rows, of which a bounded number is in memory."""
    with tx.execute(query, execution_options={"yield_per": _AT_ONCE}) as rows:
        yield from rows.scalars()


def _count(tx: Connection, query: Select[tuple[str]]) -> int:
    return tx.execute(select(func.count()).select_from(query.subquery())).scalar() or 0
