"""The repositories that an instance serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from runner.database.errors import NameTaken
from runner.database.identifiers import random_id
from runner.database.rows import every, first, inserted
from runner.database.tables import repositories
from runner.database.words import Visibility


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository; `token` is sealed, `next_number` the number its next run gets."""

    id: int
    name: str
    forge: str
    clone_url: str
    api_url: str | None
    web_url: str | None
    token: str | None = field(repr=False)
    default_branch: str
    visibility: Visibility
    next_number: int
    badge_key: str = field(repr=False)
    created_at: float


class Change(TypedDict, total=False):
    """What can be changed of a repository."""

    name: str
    clone_url: str
    api_url: str | None
    web_url: str | None
    token: str | None
    default_branch: str
    visibility: Visibility
    badge_key: str


def add(
    tx: Connection,
    *,
    name: str,
    forge: str,
    clone_url: str,
    at: float,
    api_url: str | None = None,
    web_url: str | None = None,
    token: str | None = None,
    default_branch: str = "main",
    visibility: Visibility = Visibility.PRIVATE,
) -> Repository:
    """Write a new repository and return it; `token` must be sealed. Raises `NameTaken`."""
    values: dict[str, Any] = {
        "name": name,
        "forge": forge,
        "clone_url": clone_url,
        "api_url": api_url,
        "web_url": web_url,
        "token": token,
        "default_branch": default_branch,
        "visibility": visibility,
        "next_number": 1,
        "badge_key": random_id(),
        "created_at": at,
    }
    try:
        repository_id = inserted(tx, insert(repositories).values(values))
    except IntegrityError as error:
        raise _taken(name) from error
    return Repository(id=repository_id, **values)


def find(tx: Connection, repository_id: int) -> Repository | None:
    """Return the repository with this id."""
    return first(tx, select(repositories).where(repositories.c.id == repository_id), Repository)


def named(tx: Connection, name: str) -> Repository | None:
    """Return the repository of this name, such as `acme/demo`."""
    return first(tx, select(repositories).where(repositories.c.name == name), Repository)


def listing(tx: Connection) -> list[Repository]:
    """Return every repository in the order of their names."""
    return every(tx, select(repositories).order_by(repositories.c.name), Repository)


def change(tx: Connection, repository_id: int, **values: Unpack[Change]) -> None:
    """Change what is named of a repository. Raises `NameTaken`."""
    query = update(repositories).where(repositories.c.id == repository_id).values(**values)
    try:
        tx.execute(query)
    except IntegrityError as error:
        raise _taken(str(values.get("name"))) from error


def remove(tx: Connection, repository_id: int) -> None:
    """Delete a repository with its hooks, deliveries, runs and tokens."""
    tx.execute(delete(repositories).where(repositories.c.id == repository_id))


def lock(tx: Connection, repository_id: int) -> None:
    """Let no other transaction lock this repository until this one ends."""
    query = select(repositories.c.id).where(repositories.c.id == repository_id)
    tx.execute(query.with_for_update(key_share=True))


def take_number(tx: Connection, repository_id: int) -> int:
    """Return the number for a new run; no other run of the repository gets it."""
    here = repositories.c.id == repository_id
    following = repositories.c.next_number + 1
    tx.execute(update(repositories).where(here).values(next_number=following))
    return int(tx.execute(select(repositories.c.next_number).where(here)).scalar_one()) - 1


def _taken(name: str) -> NameTaken:
    return NameTaken(f"there is a repository called {name} already; choose another name")
