"""Bringing a database to the tables that this Hookline knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from runner.database.connection import Database, exclusive
from runner.database.errors import SchemaTooNew

# The newest revision in `versions/`. Kept here so that a database that is up to date, which is
# nearly every start, is recognised without importing alembic.
HEAD = "0003"


def migrate(database: Database) -> None:
    """Bring a database, empty or of an older Hookline, to the newest tables; all or nothing.

    Several processes may do it at once: one works, the others wait. Raises `SchemaTooNew` for a
    database that a newer Hookline has changed, and `DatabaseUnavailable`.
    """
    with database.read() as connection:
        if revision(connection) == HEAD:
            return
    database.transact(_upgrade)


def revision(connection: Connection) -> str | None:
    """Return the revision a database is at, None for one without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(tx: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - a second of imports that few starts need
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    exclusive(tx, "migrate")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision(tx)
    if found is not None and found not in known:
        raise SchemaTooNew(found, HEAD)
    command.upgrade(config, "head")
