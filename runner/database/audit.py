"""Who did what, for those who must know later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from runner.database.rows import every
from runner.database.tables import audit


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something somebody did: `who` names a token or an account, `what` is `token.create` or so."""

    id: int
    at: float
    who: str
    what: str
    about: dict[str, Any]


def add(tx: Connection, *, at: float, who: str, what: str, about: dict[str, Any]) -> None:
    """Write a deed, in the transaction that did it; `about` must hold no secret."""
    tx.execute(insert(audit).values(at=at, who=who, what=what, about=about))


def page(tx: Connection, before: int | None = None, limit: int = 50) -> list[Deed]:
    """Return deeds, newest first, those older than the one with the id `before`."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    return every(tx, query if before is None else query.where(audit.c.id < before), Deed)
