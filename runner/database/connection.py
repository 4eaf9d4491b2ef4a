"""Opening a database, and the three ways to use it: read, write, and write until it works.

SQLite has one writer at a time: a write begins with BEGIN IMMEDIATE, so what it has read is still
true when it writes. On PostgreSQL writes run at READ COMMITTED and lock the row that they depend on
(`with_for_update`, which SQLite passes over); `exclusive` is for what depends on more than a row.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    TimeoutError,  # noqa: A004 - the name SQLAlchemy gave it
)
from sqlalchemy.pool import ConnectionPoolEntry

from runner.database.errors import DatabaseBusy, DatabaseUnavailable, DatabaseUrlError

T = TypeVar("T")

_PATIENCE = 10.0
_TRIES = 8
_IMMEDIATE = "hookline_immediate"
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock,
# lock not available.
_BUSY_STATES = frozenset({"40001", "40P01", "55P03"})
_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What our own code did wrong, which no second try mends.
_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class Database:
    """An open database; safe from any thread."""

    def __init__(self, engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self._sleep = sleep
        self._reader: Engine
        self._writer: Engine
        if self.kind == "sqlite":
            self._reader = engine
            self._writer = engine.execution_options(**{_IMMEDIATE: True})
            # Waiting here is fair and cheap, waiting inside SQLite is polling.
            self._turn: AbstractContextManager[object] = threading.RLock()
        else:
            snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._reader = engine.execution_options(**snapshot)
            self._writer = engine
            self._turn = nullcontext()

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees the database as it is at its first query, and cannot write.

        Raises `DatabaseUnavailable`.
        """
        with _translated(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose writes are kept together when the block ends, or not at all.

        Raises `DatabaseBusy` if others were in the way and `DatabaseUnavailable`.
        """
        with _translated(), self._turn, self._writer.begin() as connection:
            yield connection

    def transact(self, act: Callable[[Connection], T]) -> T:
        """Return what `act` returns in a transaction, begun again while others are in the way.

        `act` may be called several times and must do nothing but use its connection. Raises
        `DatabaseBusy` when it stays so, and what `write` and `act` raise.
        """
        for number in range(_TRIES - 1):
            try:
                with self.write() as connection:
                    return act(connection)
            except DatabaseBusy:
                pause = 0.01 * 2**number
                self._sleep(pause + random.uniform(0, pause))  # noqa: S311 - to spread tries
        with self.write() as connection:
            return act(connection)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()


def open_database(url: str, patience: float = _PATIENCE) -> Database:
    """Return the database at `sqlite:///PATH` or `postgresql://...`; its tables may be missing.

    A SQLite file is made, readable to its owner only; `patience` is how many seconds to wait for
    another process that writes to it. Raises `DatabaseUrlError` for another URL and
    `DatabaseUnavailable` for a file or server that cannot be used.
    """
    if url.startswith("sqlite:///"):
        return _open_sqlite(url.removeprefix("sqlite:///"), patience)
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError) as error:
        message = "the database URL cannot be read; it begins with sqlite:/// or postgresql://"
        raise DatabaseUrlError(message) from error
    if parts.drivername not in ("postgresql", "postgresql+psycopg"):
        message = (
            f"no database of kind {parts.drivername!r}; there are sqlite:/// and postgresql://"
        )
        raise DatabaseUrlError(message)
    return _open_postgresql(parts.set(drivername="postgresql+psycopg"))


def exclusive(tx: Connection, purpose: str) -> None:
    """Wait until no other transaction is at the same purpose, and keep others out until the end.

    On SQLite a write is alone anyway.
    """
    if tx.dialect.name == "postgresql":
        key = zlib.crc32(f"hookline {purpose}".encode())
        tx.execute(select(func.pg_advisory_xact_lock(key)))


def _options() -> dict[str, Any]:
    """Return what both kinds of engine are made with; errors never show what was stored."""
    writer = partial(json.dumps, allow_nan=False, separators=(",", ":"))
    return {"hide_parameters": True, "json_serializer": writer, "pool_size": 10, "max_overflow": 20}


def _open_postgresql(url: URL) -> Database:
    try:
        # Prepared statements outlive a transaction, which poolers such as pgbouncer do not allow.
        options = {"prepare_threshold": None, "connect_timeout": 10}
        engine = create_engine(
            url,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args=options,
            **_options(),
        )
    except ImportError as error:
        message = "PostgreSQL needs the driver psycopg: install hookline[postgres]"
        raise DatabaseUrlError(message) from error
    return Database(engine)


def _open_sqlite(name: str, patience: float) -> Database:
    if name in ("", ":memory:"):
        message = "a SQLite database needs a file: sqlite:///PATH"
        raise DatabaseUrlError(message)
    path = Path(name)
    _make_private(path)
    engine = create_engine(URL.create("sqlite", database=str(path)), **_options())
    event.listen(engine, "connect", partial(_prepare_sqlite, patience))
    event.listen(engine, "begin", _begin_sqlite)
    try:
        _use_wal(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine)


def _make_private(path: Path) -> None:
    """Make the file and its folder; SQLite gives its side files the same rights."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        message = f"the database file cannot be used: {error}"
        raise DatabaseUnavailable(message) from error


def _prepare_sqlite(
    patience: float, connection: DBAPIConnection, _entry: ConnectionPoolEntry
) -> None:
    """Set what SQLite forgets with each connection, and take BEGIN away from Python's driver."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("PRAGMA query_only = OFF" if immediate else "PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _use_wal(engine: Engine, path: Path) -> None:
    """Let readers and the writer go on side by side; the mode stays with the file."""
    with _translated(), closing(engine.raw_connection()) as raw:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        mode = cursor.fetchone()
    if mode != ("wal",):
        message = f"{path} lies on a file system without shared memory; keep it on a local disk"
        raise DatabaseUnavailable(message)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the trouble that is nobody's mistake into errors of this package."""
    try:
        yield
    except _MISTAKES:
        raise
    except DBAPIError as error:
        if _is_busy(error.orig):
            raise _busy(error.orig) from error
        message = f"the database is not available: {error.orig}"
        raise DatabaseUnavailable(message) from error
    except sqlite3.Error as error:
        if _is_busy(error):
            raise _busy(error) from error
        message = f"the database is not available: {error}"
        raise DatabaseUnavailable(message) from error
    except TimeoutError as error:
        message = "every connection to the database is in use"
        raise DatabaseUnavailable(message) from error


def _busy(cause: BaseException | None) -> DatabaseBusy:
    return DatabaseBusy(f"another transaction was in the way: {cause}")


def _is_busy(cause: BaseException | None) -> bool:
    if getattr(cause, "sqlstate", None) in _BUSY_STATES:
        return True
    code = getattr(cause, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BUSY_CODES
