"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

from pipelines.events import Trust
from pipelines.states import Cause, Outcome, RunStatus, State
from runner.database.columns import (
    ARTIFACTS,
    DOCUMENT,
    EVENT,
    LIST,
    SERIAL,
    WORDS,
    choice,
    listed,
)
from runner.database.words import CommandKind, DeliveryOutcome, StepKind, Visibility
from runner.tokens import Scope

_Kind: TypeAlias = TypeEngine[Any] | type[TypeEngine[Any]]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _needed(name: str, kind: _Kind, *, unique: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=False, unique=unique)


def _of(table: str, name: str, *, index: bool = False) -> Column[Any]:
    """Return a column that points at a row of another table, and goes when that row goes."""
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, key, nullable=False, index=index)


def _part_of(table: str, name: str) -> Column[Any]:
    """Return the same as part of the primary key."""
    return Column(name, ForeignKey(f"{table}.id", ondelete="CASCADE"), primary_key=True)


repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    _needed("name", WORDS, unique=True),
    _needed("forge", WORDS),
    _needed("clone_url", WORDS),
    Column("api_url", WORDS),
    Column("web_url", WORDS),
    Column("token", Text),
    _needed("default_branch", WORDS),
    _needed("visibility", choice(Visibility)),
    _needed("next_number", Integer),
    _needed("badge_key", Text),
    _needed("created_at", Double),
    sqlite_autoincrement=True,
)

hooks = Table(
    "hooks",
    metadata,
    Column("id", Text, primary_key=True),
    _of("repositories", "repository_id", index=True),
    _needed("forge", WORDS),
    _needed("secrets", LIST),
    _needed("created_at", Double),
)

secrets = Table(
    "secrets",
    metadata,
    _part_of("repositories", "repository_id"),
    Column("name", WORDS, primary_key=True),
    _needed("sealed", Text),
    _needed("set_at", Double),
    _needed("set_by", WORDS),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    _of("hooks", "hook_id"),
    Column("forge_id", WORDS),
    _needed("event", WORDS),
    _needed("received_at", Double),
    _needed("outcome", choice(DeliveryOutcome)),
    Column("reason", WORDS),
    Column("body_digest", WORDS),
    UniqueConstraint("hook_id", "forge_id"),
    Index("ix_deliveries_hook_id_received_at", "hook_id", "received_at"),
)

changes = Table(
    "changes",
    metadata,
    _part_of("deliveries", "delivery_id"),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _needed("ref", WORDS),
    _needed("commit", WORDS),
    Column("run_id", ForeignKey("runs.id", ondelete="SET NULL"), index=True),
    Column("reason", WORDS),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    _of("repositories", "repository_id"),
    _needed("number", Integer),
    _needed("kind", WORDS),
    _needed("event", EVENT),
    Column("event_key", Text),
    _needed("trust", choice(Trust)),
    _needed("ref", WORDS),
    Column("branch", WORDS),
    _needed("commit", WORDS),
    _needed("message", WORDS),
    _needed("author", WORDS),
    _needed("status", choice(RunStatus)),
    _needed("reason", WORDS),
    _needed("warnings", LIST),
    _needed("attempt", Integer),
    _needed("created_at", Double),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("source", WORDS),
    Column("config", WORDS),
    Column("plan", DOCUMENT),
    Column("lease_owner", WORDS),
    _needed("lease_epoch", Integer),
    Column("lease_until", Double),
    _needed("wanted", Boolean),
    UniqueConstraint("repository_id", "number"),
    UniqueConstraint("repository_id", "event_key"),
    Index("ix_runs_repository_id_branch_id", "repository_id", "branch", "id"),
)
Index(
    "ix_runs_wanted",
    runs.c.id,
    postgresql_where=text("wanted"),
    sqlite_where=text("wanted = 1"),
)

journal = Table(
    "journal",
    metadata,
    _part_of("runs", "run_id"),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    _needed("epoch", Integer),
    _needed("at", Double),
    _needed("kind", WORDS),
    _needed("payload", DOCUMENT),
)


def _results() -> list[Column[Any]]:
    """Return the columns that say how a step, or one attempt of it, went."""
    return [
        Column("outcome", choice(Outcome)),
        _needed("cause", choice(Cause)),
        _needed("reason", WORDS),
        Column("exit_code", Integer),
        Column("started_at", Double),
        Column("ended_at", Double),
        _needed("outputs", DOCUMENT),
        _needed("artifacts", ARTIFACTS),
        Column("snapshot", WORDS),
        _needed("warnings", LIST),
    ]


steps = Table(
    "steps",
    metadata,
    _part_of("runs", "run_id"),
    Column("name", WORDS, primary_key=True),
    _needed("position", Integer),
    _needed("kind", choice(StepKind)),
    _needed("state", choice(State)),
    _needed("attempt", Integer),
    _needed("allow_failure", Boolean),
    _needed("needs", LIST),
    Column("services", LIST),
    *_results(),
)

attempts = Table(
    "attempts",
    metadata,
    _part_of("runs", "run_id"),
    Column("step", WORDS, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_results(),
)

commands = Table(
    "commands",
    metadata,
    Column("id", SERIAL, primary_key=True),
    _of("runs", "run_id", index=True),
    _needed("kind", choice(CommandKind)),
    _needed("payload", DOCUMENT),
    _needed("by", WORDS),
    _needed("at", Double),
    Column("done_at", Double),
    Column("refused", WORDS),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    _of("runs", "run_id", index=True),
    _of("repositories", "repository_id"),
    _needed("commit", WORDS),
    _needed("context", WORDS),
    _needed("state", choice(RunStatus)),
    _needed("description", WORDS),
    _needed("url", WORDS),
    _needed("run_attempt", Integer),
    _needed("sequence", Integer),
    _needed("begun_at", Double),
    _needed("held", Boolean),
    _needed("open", Boolean),
    _needed("created_at", Double),
    _needed("next_try_at", Double),
    Column("flying_until", Double),
    _needed("tries", Integer),
    Column("taken_at", Double),
    Column("refused", WORDS),
    Column("last_error", WORDS),
    UniqueConstraint("run_id", "context", "run_attempt", "sequence"),
    Index("ix_outbox_repository_id_commit_context", "repository_id", "commit", "context"),
    sqlite_autoincrement=True,
)
Index(
    "ix_outbox_open",
    outbox.c.next_try_at,
    postgresql_where=text("open"),
    sqlite_where=text("open = 1"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _needed("name", WORDS),
    _needed("digest", Text),
    _needed("scopes", listed(Scope)),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), index=True),
    _needed("created_at", Double),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
)

audit = Table(
    "audit",
    metadata,
    Column("id", SERIAL, primary_key=True),
    _needed("at", Double),
    _needed("who", WORDS),
    _needed("what", WORDS),
    _needed("about", DOCUMENT),
    sqlite_autoincrement=True,
)
