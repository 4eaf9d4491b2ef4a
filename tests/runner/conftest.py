"""Fixtures that tests of every part of the runner may ask for."""

from __future__ import annotations

from tests.support.databases import (
    database,
    database_url,
    empty_url,
    postgres_migrated,
    postgres_url,
    sqlite_template,
)

__all__ = [
    "database",
    "database_url",
    "empty_url",
    "postgres_migrated",
    "postgres_url",
    "sqlite_template",
]
