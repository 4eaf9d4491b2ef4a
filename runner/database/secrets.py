"""The secrets of repositories, sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from runner.database.rows import every
from runner.database.tables import secrets


@dataclass(frozen=True, kw_only=True)
class StoredSecret:
    """That a repository has a secret, since when and by whom; not what it is."""

    name: str
    set_at: float
    set_by: str


def put(tx: Connection, repository_id: int, name: str, *, sealed: str, by: str, at: float) -> bool:
    """Write a secret's value, sealed for `runner.secrets.secret_context`; return whether it is new.

    Whoever calls this holds the repository's lock.
    """
    values = {"sealed": sealed, "set_at": at, "set_by": by}
    changed = tx.execute(update(secrets).where(_is(repository_id, name)).values(values))
    if changed.rowcount:
        return False
    tx.execute(insert(secrets).values(repository_id=repository_id, name=name, **values))
    return True


def listing(tx: Connection, repository_id: int) -> list[StoredSecret]:
    """Return the secrets of a repository by name, without what could open them."""
    columns = (secrets.c.name, secrets.c.set_at, secrets.c.set_by)
    query = select(*columns).where(secrets.c.repository_id == repository_id)
    return every(tx, query.order_by(secrets.c.name), StoredSecret)


def sealed(tx: Connection, repository_id: int, names: Collection[str]) -> dict[str, str]:
    """Return those of the named secrets that a repository has, sealed, by name."""
    query = select(secrets.c.name, secrets.c.sealed)
    here = (secrets.c.repository_id == repository_id, secrets.c.name.in_(names))
    return {row.name: row.sealed for row in tx.execute(query.where(*here))}


def remove(tx: Connection, repository_id: int, name: str) -> bool:
    """Delete a secret; return whether it was there."""
    return bool(tx.execute(delete(secrets).where(_is(repository_id, name))).rowcount)


def _is(repository_id: int, name: str) -> ColumnElement[bool]:
    return (secrets.c.repository_id == repository_id) & (secrets.c.name == name)
