"""The hooks under which forges deliver."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from runner.database.identifiers import random_id
from runner.database.rows import every, first
from runner.database.tables import hooks, repositories


@dataclass(frozen=True, kw_only=True)
class StoredHook:
    """A hook; `secrets` are sealed, `repository` is the name of the repository it serves."""

    id: str
    repository_id: int
    repository: str
    forge: str
    secrets: tuple[str, ...] = field(repr=False)
    created_at: float


_SELECT = select(hooks, repositories.c.name.label("repository")).join_from(hooks, repositories)


def new_id() -> str:
    """Return an id for a hook: 128 random bits, as it must not be guessed."""
    return random_id()


def add(
    tx: Connection,
    *,
    hook_id: str,
    repository_id: int,
    forge: str,
    secrets: tuple[str, ...],
    at: float,
) -> None:
    """Write a new hook; `secrets` must be sealed (for `runner.secrets.hook_context(hook_id)`)."""
    values = {
        "id": hook_id,
        "repository_id": repository_id,
        "forge": forge,
        "secrets": secrets,
        "created_at": at,
    }
    tx.execute(insert(hooks).values(values))


def find(tx: Connection, hook_id: str) -> StoredHook | None:
    """Return the hook with this id."""
    return first(tx, _SELECT.where(hooks.c.id == hook_id), StoredHook)


def of_repository(tx: Connection, repository_id: int) -> list[StoredHook]:
    """Return a repository's hooks, oldest first."""
    query = _SELECT.where(hooks.c.repository_id == repository_id)
    return every(tx, query.order_by(hooks.c.created_at, hooks.c.id), StoredHook)


def set_secrets(tx: Connection, hook_id: str, secrets: tuple[str, ...]) -> None:
    """Replace a hook's sealed secrets, any of which may sign."""
    tx.execute(update(hooks).where(hooks.c.id == hook_id).values(secrets=secrets))


def remove(tx: Connection, hook_id: str) -> None:
    """Delete a hook with its deliveries; the runs they made stay."""
    tx.execute(delete(hooks).where(hooks.c.id == hook_id))
