"""What is known of manifests and runs during a sweep, on disk: there may be millions of them.

What a manifest says (which snapshots it came from, which packs it needs) never changes, so it is
read from the object store once and remembered from sweep to sweep. All else is forgotten at the
beginning of the next one. A catalogue that is lost is made anew, which takes reading only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from runner.retention.errors import SweepUnderWay

_FORMAT = 1
_AT_ONCE = 1000

# A manifest is `known` once it was read, `listed` if the store has it, `live` if it must stay,
# `tried` once this sweep has tried to read it.
_TABLES = f"""
CREATE TABLE manifest (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    known INTEGER NOT NULL DEFAULT 0,
    listed INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 0,
    tried INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE parent (child INTEGER, parent INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE pack (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE need (pack INTEGER, manifest INTEGER, PRIMARY KEY (pack, manifest)) WITHOUT ROWID;
CREATE TABLE run (id TEXT PRIMARY KEY, workspaces INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
"""
_RESET = ("UPDATE manifest SET listed = 0, live = 0, tried = 0", "DELETE FROM run")
_SPREAD = """
UPDATE manifest SET live = 1 WHERE live = 0 AND id IN (
    WITH RECURSIVE above(id) AS (
        SELECT id FROM manifest WHERE live = 1
        UNION SELECT parent.parent FROM parent JOIN above ON parent.child = above.id
    ) SELECT id FROM above)
"""
_PRUNE = (
    "DELETE FROM manifest WHERE live = 0",
    "DELETE FROM parent WHERE child NOT IN (SELECT id FROM manifest)",
    "DELETE FROM need WHERE manifest NOT IN (SELECT id FROM manifest)",
    "DELETE FROM pack WHERE NOT EXISTS (SELECT 1 FROM need WHERE need.pack = pack.id)",
)
_WANTING = """
SELECT digest FROM manifest WHERE live = 1 AND tried = 0 AND (known = 0 OR listed = 0) LIMIT ?
"""
_PARENT = """
INSERT OR IGNORE INTO parent VALUES (
    (SELECT id FROM manifest WHERE digest = ?), (SELECT id FROM manifest WHERE digest = ?))
"""
_NEED = """
INSERT OR IGNORE INTO need VALUES (
    (SELECT id FROM pack WHERE key = ?), (SELECT id FROM manifest WHERE digest = ?))
"""
_FORGET = "UPDATE manifest SET listed = 0 WHERE digest IN (SELECT value FROM json_each(?))"
_NEEDED = "SELECT key FROM pack WHERE key IN (SELECT value FROM json_each(?))"
_RUNS = "SELECT id FROM run WHERE workspaces >= ? AND id IN (SELECT value FROM json_each(?))"


class Catalogue:
    """The catalogue in a file, which nobody else may use meanwhile, or in memory."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, or make it; raise `SweepUnderWay` if another process has it."""
        try:
            self._open(path)
        except sqlite3.DatabaseError as error:
            if (
                path is None
                or getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_NOTADB
            ):
                raise
            path.unlink()
            self._open(path)

    def close(self) -> None:
        """Close the file; what is known of manifests stays in it."""
        self._database.close()

    def begin(self) -> None:
        """Begin a sweep: nothing is listed or live, and no run is known."""
        self._run_all(_RESET)

    def keep(self, digests: Iterable[str]) -> None:
        """Say that these snapshots must stay."""
        self._put(
            "INSERT INTO manifest (digest, live) VALUES (?, 1)"
            " ON CONFLICT (digest) DO UPDATE SET live = 1",
            ((digest,) for digest in digests),
        )

    def found(self, digests: Iterable[tuple[str, bool]]) -> None:
        """Say that the store has these manifests, and of each whether it must stay for its age."""
        self._put(
            "INSERT INTO manifest (digest, listed, live) VALUES (?, 1, ?)"
            " ON CONFLICT (digest) DO UPDATE SET listed = 1, live = max(live, excluded.live)",
            ((digest, int(young)) for digest, young in digests),
        )

    def unread(self) -> list[str]:
        """Return some of the manifests that must stay and are to be read; none if all were.

        All that is known to have led to what must stay must stay too. Those that the store does
        not list are among them, whatever is known of them.
        """
        self._run(_SPREAD)
        return self._column(_WANTING, _AT_ONCE)

    def learn(self, digest: str, parents: Collection[str], packs: Collection[str]) -> None:
        """Write what a manifest says: its parents by digest, its packs by their keys."""
        with self._written() as database:
            database.executemany(
                "INSERT OR IGNORE INTO manifest (digest) VALUES (?)", [(one,) for one in parents]
            )
            database.executemany(
                "INSERT OR IGNORE INTO pack (key) VALUES (?)", [(k,) for k in packs]
            )
            database.executemany(_PARENT, [(digest, parent) for parent in parents])
            database.executemany(_NEED, [(key, digest) for key in packs])
            database.execute("UPDATE manifest SET known = 1, tried = 1 WHERE digest = ?", (digest,))

    def give_up(self, digest: str) -> None:
        """Write that a manifest cannot be read in this sweep."""
        self._run("UPDATE manifest SET tried = 1 WHERE digest = ?", digest)

    def doomed(self) -> list[str]:
        """Return some of the manifests that the store has and that need not stay."""
        query = "SELECT digest FROM manifest WHERE listed = 1 AND live = 0 ORDER BY id LIMIT ?"
        return self._column(query, _AT_ONCE)

    def forget(self, digests: Collection[str]) -> None:
        """Say that the store no longer has these manifests."""
        self._run(_FORGET, json.dumps(list(digests)))

    def prune(self) -> None:
        """Forget all that was known of manifests that did not have to stay."""
        self._run_all(_PRUNE)

    def needed(self, keys: Collection[str]) -> set[str]:
        """Return those of these packs that a manifest needs; ask after `prune`."""
        return set(self._column(_NEEDED, json.dumps(list(keys))))

    def add_runs(self, runs: Iterable[str], *, workspaces: bool) -> None:
        """Say that these runs are there, and whether they keep their workspaces."""
        self._put(
            "INSERT INTO run VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET workspaces = max(workspaces, excluded.workspaces)",
            ((run, int(workspaces)) for run in runs),
        )

    def runs(self, runs: Collection[str], *, workspaces: bool) -> set[str]:
        """Return those of these runs that are there, or that keep their workspaces."""
        return set(self._column(_RUNS, int(workspaces), json.dumps(list(runs))))

    def _open(self, path: Path | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN EXCLUSIVE")
            if self._database.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
                self._make()
            self._database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._database.close()
            if path and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise SweepUnderWay(path) from error
            raise

    def _make(self) -> None:
        """Make the tables, in place of those of another format."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for name in self._column(query):
            self._database.execute(f"DROP TABLE {name}")
        for statement in _TABLES.split(";\n"):
            self._database.execute(statement)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Give the database for writes that are kept together or not at all."""
        self._database.execute("BEGIN")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _run(self, statement: str, *values: str | int) -> None:
        with self._written() as database:
            database.execute(statement, values)

    def _run_all(self, statements: Iterable[str]) -> None:
        with self._written() as database:
            for statement in statements:
                database.execute(statement)

    def _put(self, statement: str, rows: Iterable[tuple[str | int, ...]]) -> None:
        """Run a statement for each row, a bounded number of them at a time."""
        waiting = iter(rows)
        while batch := list(islice(waiting, _AT_ONCE)):
            with self._written() as database:
                database.executemany(statement, batch)

    def _column(self, query: str, *values: str | int) -> list[str]:
        return [row[0] for row in self._database.execute(query, values)]
