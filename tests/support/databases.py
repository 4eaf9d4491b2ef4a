"""Databases for tests: a fresh one each, of every kind that there is here.

`tests/runner/conftest.py` makes these fixtures known. A test that asks for `database` runs once on
SQLite and once on PostgreSQL: on the server that HOOKLINE_TEST_POSTGRES_URL names, or on one that is
started for the session where its programs are installed.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import postgres_server, server_binaries

if TYPE_CHECKING:
    from runner.database.connection import Database

KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a migrated, empty SQLite database."""
    from runner.database.connection import open_database
    from runner.database.migrations import migrate

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    with closing(open_database(f"sqlite:///{path}")) as database:
        migrate(database)
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL server that may be filled with databases."""
    if given := os.environ.get("HOOKLINE_TEST_POSTGRES_URL"):
        yield given
        return
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server: set HOOKLINE_TEST_POSTGRES_URL or install one")
    with postgres_server(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_migrated(postgres_url: str) -> Iterator[str]:
    """Give the URL of a migrated PostgreSQL database, which each test leaves empty."""
    from runner.database.connection import open_database
    from runner.database.migrations import migrate

    with postgres_database(postgres_url) as url:
        with closing(open_database(url)) as database:
            migrate(database)
        yield url


def _empty(url: str) -> None:
    """Delete every row; making a database for each test takes half a second, this does not."""
    import psycopg

    from runner.database.migrations import HEAD

    with psycopg.connect(url) as connection:
        connection.execute("SET lock_timeout = '10s'")
        for table in ("repositories", "audit", "tokens", "alembic_version"):
            connection.execute(f"DELETE FROM {table}".encode())
        connection.execute("INSERT INTO alembic_version VALUES (%s)", [HEAD])


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """Make a database on a server, give its URL, and drop it in the end."""
    name = f"hookline_test_{uuid.uuid4().hex}"
    _administer(server, f'CREATE DATABASE "{name}"')
    try:
        yield f"{server.partition('?')[0].rpartition('/')[0]}/{name}"
    finally:
        _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a migrated, empty database, once of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "hookline.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url = request.getfixturevalue("postgres_migrated")
    yield url
    _empty(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give a migrated, empty database, once of each kind."""
    from runner.database.connection import open_database

    with closing(open_database(database_url)) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without tables, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url
