"""A world on a fresh SQLite database, for tests that are not about the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.database.connection import Database, open_database
from tests.runner.retention.world import World


@pytest.fixture
def light_database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """Give a migrated, empty database in a file."""
    path = tmp_path / "hookline.db"
    shutil.copy(sqlite_template, path)
    with closing(open_database(f"sqlite:///{path}")) as database:
        yield database


@pytest.fixture
def world(light_database: Database) -> World:
    """Give a world on it, whose store is in memory."""
    return World(light_database)
