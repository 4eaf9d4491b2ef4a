from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from runner.database import audit, repositories
from runner.database.connection import Database, exclusive, open_database
from runner.database.errors import DatabaseBusy, DatabaseUnavailable, DatabaseUrlError
from tests.runner.database.samples import NOW, a_repository

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some folder?" / "x.db"


@pytest.fixture
def sqlite(path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{path}", patience=0.01)) as database:
        yield database


def names(database: Database) -> list[str]:
    with database.read() as tx:
        return [repository.name for repository in repositories.listing(tx)]


def test_what_is_written_is_read(database: Database) -> None:
    with database.write() as tx:
        a_repository(tx)
    assert names(database) == ["acme/demo"]


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail(tx: Connection) -> None:
        a_repository(tx)
        message = "in the middle"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="in the middle"), database.write() as tx:
        fail(tx)
    with pytest.raises(RuntimeError, match="in the middle"):
        database.transact(fail)
    assert names(database) == []


def test_a_broken_constraint_leaves_nothing(database: Database) -> None:
    def act(tx: Connection) -> None:
        a_repository(tx)
        tx.execute(text("UPDATE repositories SET name = NULL"))

    with pytest.raises(IntegrityError):
        database.transact(act)
    assert names(database) == []


def test_what_points_at_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.execute(text("INSERT INTO hooks VALUES ('h', 99, 'git', '[]', 1)"))


def test_a_reader_cannot_write(database: Database) -> None:
    told = (DatabaseUnavailable, DBAPIError)
    with pytest.raises(told, match=r"(?i)read-?only"), database.read() as tx:
        a_repository(tx)
    with database.write() as tx:
        a_repository(tx)
    assert names(database) == ["acme/demo"]


def test_a_reader_sees_one_state_of_things(database: Database) -> None:
    with database.read() as reader:
        assert repositories.listing(reader) == []
        with database.write() as writer:
            a_repository(writer)
        assert repositories.listing(reader) == []
    assert names(database) == ["acme/demo"]


def test_errors_do_not_show_what_was_to_be_stored(database: Database) -> None:
    with pytest.raises(ProgrammingError if database.kind == "postgresql" else DatabaseUnavailable):
        raise_from_unknown_table(database)
    with pytest.raises(IntegrityError) as caught, database.write() as tx:
        tx.execute(
            text("INSERT INTO tokens VALUES (:a, NULL, 'd', '[]', NULL, 1, NULL, NULL, NULL)"),
            {"a": "hush"},
        )
    assert "'hush'" not in str(caught.value)


def raise_from_unknown_table(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("INSERT INTO nowhere VALUES (1)"))


def test_writers_take_turns(database_url: str, database: Database) -> None:
    with closing(open_database(database_url)) as second, database.write() as tx:
        repository = a_repository(tx)
        del tx

        def count(number: int) -> int:
            act = (database, second)[number % 2].transact
            return act(lambda tx: repositories.take_number(tx, repository.id))

    with closing(open_database(database_url)) as second, ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(count, range(64))) == list(range(1, 65))


def test_only_one_is_at_a_purpose(database_url: str, database: Database) -> None:
    order: list[str] = []

    def add(tx: Connection, name: str) -> None:
        exclusive(tx, "a test")
        order.append(f"{name} in")
        audit.add(tx, at=NOW, who=name, what="x", about={"seen": len(audit.page(tx))})
        order.append(f"{name} out")

    with closing(open_database(database_url)) as second, ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: (database, second)[n % 2].transact(lambda tx: add(tx, str(n))), range(16)
            )
        )
    with database.read() as tx:
        assert sorted(deed.about["seen"] for deed in audit.page(tx)) == list(range(16))


def test_a_transaction_is_begun_again_while_others_are_in_the_way(database: Database) -> None:
    pauses: list[float] = []
    patient = Database(database.engine, sleep=pauses.append)
    tries: list[int] = []

    def act(tx: Connection) -> str:
        a_repository(tx)
        tries.append(1)
        if len(tries) < 4:
            message = "somebody else"
            raise DatabaseBusy(message)
        return "done"

    assert patient.transact(act) == "done"
    assert len(pauses) == 3
    assert pauses == sorted(pauses)
    assert names(database) == ["acme/demo"]


def test_a_transaction_that_is_never_let_through_gives_up(database: Database) -> None:
    patient = Database(database.engine, sleep=lambda _seconds: None)
    tries: list[int] = []

    def act(tx: Connection) -> None:
        tries.append(1)
        message = "somebody else"
        raise DatabaseBusy(message)

    with pytest.raises(DatabaseBusy):
        patient.transact(act)
    assert len(tries) == 8


@pytest.mark.postgresql
def test_a_deadlock_on_postgresql_is_tried_again(postgres_url: str) -> None:
    blocked: list[str] = []
    with closing(open_database(postgres_url)) as opened:
        with opened.write() as tx:
            tx.execute(text("DROP TABLE IF EXISTS things"))
            tx.execute(text("CREATE TABLE things (id int primary key)"))
            tx.execute(text("INSERT INTO things VALUES (1)"))
        holder = opened.engine.connect()
        holder.execute(text("SELECT * FROM things FOR UPDATE"))
        patient = Database(opened.engine, sleep=lambda _seconds: holder.close())

        def act(tx: Connection) -> int:
            blocked.append("try")
            tx.execute(text("SET LOCAL lock_timeout = '10ms'"))
            return int(tx.execute(text("SELECT id FROM things FOR UPDATE")).scalar_one())

        assert patient.transact(act) == 1
        assert blocked == ["try", "try"]
        with opened.write() as tx:
            tx.execute(text("DROP TABLE things"))


def test_another_process_that_writes_is_waited_for(sqlite: Database, path: Path) -> None:
    with sqlite.write() as tx:
        tx.execute(text("CREATE TABLE things (id int)"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match="locked"), sqlite.write():
            pass

        def let_go(_seconds: float) -> None:
            other.execute("ROLLBACK")

        patient = Database(sqlite.engine, sleep=let_go)
        patient.transact(lambda tx: tx.execute(text("INSERT INTO things VALUES (1)")))
    with sqlite.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM things")).scalar() == 1


def test_sqlite_is_set_up_to_lose_nothing(sqlite: Database) -> None:
    with sqlite.write() as tx:
        pragmas = {
            name: tx.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10,
    }


def test_a_sqlite_file_is_its_owners_only(sqlite: Database, path: Path) -> None:
    with sqlite.write() as tx:
        tx.execute(text("CREATE TABLE things (id int)"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://ada:hush@db/ci", "no database of kind 'mysql'"),
        ("sqlite://", "no database of kind 'sqlite'"),
        ("sqlite:///", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("hush", "cannot be read"),
        ("postgresql://ada:hush@db:port/ci", "cannot be read"),
    ],
)
def test_urls_that_name_no_database_are_refused(url: str, message: str) -> None:
    with pytest.raises(DatabaseUrlError, match=message) as caught:
        open_database(url)
    assert "hush" not in str(caught.value)


def test_a_path_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="cannot be used"):
        open_database(f"sqlite:///{tmp_path}/file/x.db")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"something else, and long enough to be read as a header" * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        open_database(f"sqlite:///{path}")


def test_a_file_that_somebody_keeps_locked_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE things (id int)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy, match="locked"):
            open_database(f"sqlite:///{path}", patience=0.01)


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    with closing(open_database("postgresql://ada:hush@127.0.0.1:1/ci")) as opened:
        assert opened.kind == "postgresql"
        with pytest.raises(DatabaseUnavailable) as caught, opened.read():
            pass
    assert "hush" not in str(caught.value)


def expected_to_wait_in_vain() -> pytest.RaisesExc[DatabaseUnavailable]:
    return pytest.raises(DatabaseUnavailable, match="in use")


def test_no_free_connection_is_told(tmp_path: Path) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path}/x.db", pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with closing(Database(engine)) as opened, opened.read(), expected_to_wait_in_vain():
        opened.read().__enter__()


def test_without_its_driver_postgresql_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from runner.database.connection import open_database\n"
        "from runner.database.errors import DatabaseUrlError\n"
        "try: open_database('postgresql://x/y')\n"
        "except DatabaseUrlError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "hookline[postgres]" in told.stdout
