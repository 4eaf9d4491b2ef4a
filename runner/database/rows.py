"""From rows to the frozen values that the query modules return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Select

T = TypeVar("T")


def first(tx: Connection, query: Select[Any], kind: Callable[..., T]) -> T | None:
    """Return `kind` made of the first row's columns by name, None without a row."""
    row = tx.execute(query).mappings().first()
    return None if row is None else kind(**row)


def every(tx: Connection, query: Select[Any], kind: Callable[..., T]) -> list[T]:
    """Return `kind` made of every row."""
    return [kind(**row) for row in tx.execute(query).mappings()]


def inserted(tx: Connection, query: Insert) -> int:
    """Insert one row and return the number that the database gave it."""
    key = tx.execute(query).inserted_primary_key
    return 0 if key is None else int(key[0])
