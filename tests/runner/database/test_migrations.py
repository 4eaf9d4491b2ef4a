from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, Table, inspect, text

from runner.database import migrations
from runner.database.connection import Database, open_database
from runner.database.errors import SchemaTooNew
from runner.database.migrations import HEAD, migrate, revision
from runner.database.tables import metadata

ROOT = Path(__file__).parents[3]


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    with closing(open_database(empty_url)) as opened:
        yield opened


def differences(database: Database) -> list[object]:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))


def tables_of(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def test_an_empty_database_gets_exactly_the_tables_of_the_metadata(empty: Database) -> None:
    assert tables_of(empty) == set()
    migrate(empty)
    assert tables_of(empty) == {*metadata.tables, "alembic_version"}
    assert differences(empty) == []


def test_the_comparison_sees_a_difference(database: Database) -> None:
    assert differences(database) == []
    extra = Table("extra", metadata, Column("id", Integer, primary_key=True))
    try:
        assert len(differences(database)) == 1
    finally:
        metadata.remove(extra)


def test_constraints_have_the_names_of_the_convention(database: Database) -> None:
    with database.read() as connection:
        looker = inspect(connection)
        for table in metadata.sorted_tables:
            keys = {key["name"] for key in looker.get_foreign_keys(table.name)}
            assert keys == {key.name for key in table.foreign_key_constraints}
            # SQLite writes a key that counts up into its column, where it has no name.
            if not table.dialect_options["sqlite"]["autoincrement"] or database.kind != "sqlite":
                assert looker.get_pk_constraint(table.name)["name"] == table.primary_key.name


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.read() as connection:
        assert revision(connection) == HEAD
    migrate(database)
    assert differences(database) == []


@pytest.mark.parametrize("start", [f"{number:04}" for number in range(1, int(HEAD))])
def test_an_older_database_is_brought_up_and_keeps_its_rows(empty: Database, start: str) -> None:
    with empty.write() as tx:
        command.upgrade(_config(tx), start)
        tx.execute(text("INSERT INTO audit (at, who, what, about) VALUES (1, 'a', 'b', '{}')"))
    migrate(empty)
    assert differences(empty) == []
    with empty.read() as connection:
        assert connection.execute(text("SELECT who FROM audit")).scalar_one() == "a"


def _config(tx: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    return config


def test_the_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="at revision 9999, and this Hookline knows none after"):
        migrate(database)
    with database.read() as connection:
        assert revision(connection) == "9999"


def test_a_database_that_lost_its_revision_is_not_guessed_at(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(Exception, match="already exists"):
        migrate(database)
    with database.read() as connection:
        assert revision(connection) is None


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    with empty.write() as tx:
        tx.execute(text("CREATE TABLE audit (id int)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(empty)
    assert tables_of(empty) == {"audit"}


def test_processes_may_migrate_at_once(empty_url: str) -> None:
    program = (
        "import sys; from runner.database.connection import open_database\n"
        "from runner.database.migrations import migrate\n"
        "sys.stdin.readline()\n"
        "database = open_database(sys.argv[1]); migrate(database); database.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate()[1] for process in started]
    assert told == [""] * 4
    assert [process.returncode for process in started] == [0] * 4
    with closing(open_database(empty_url)) as opened:
        assert differences(opened) == []


def test_an_up_to_date_database_is_recognised_without_alembic(database_url: str) -> None:
    program = (
        "import sys; from runner.database.connection import open_database\n"
        "from runner.database.migrations import migrate\n"
        "database = open_database(sys.argv[1]); migrate(database); database.close()\n"
        "print('alembic' in sys.modules)"
    )
    with closing(open_database(database_url)) as opened:
        migrate(opened)
    told = subprocess.run(
        [sys.executable, "-c", program, database_url],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert told.stdout.strip() == "False"


def test_the_migrations_are_packaged() -> None:
    folder = Path(migrations.__file__).parent
    assert (folder / "env.py").is_file()
    assert [path.name for path in sorted((folder / "versions").glob("*.py"))] == [
        "v0001_first.py",
        "v0002_secrets.py",
        "v0003_services.py",
    ]
