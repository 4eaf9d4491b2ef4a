"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table, those that others point at first."""
    _repositories()
    _hooks()
    _runs()
    _deliveries()
    _changes()
    _journal()
    _steps()
    _attempts()
    _commands()
    _outbox()
    _tokens()
    _audit()


def _column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def _points(table: str, column: str, to: str, ondelete: str = "CASCADE") -> Any:
    name = op.f(f"fk_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _repositories() -> None:
    op.create_table(
        "repositories",
        _column("id", sa.Integer),
        _column("name", sa.Text),
        _column("forge", sa.Text),
        _column("clone_url", sa.Text),
        _column("api_url", sa.Text, null=True),
        _column("web_url", sa.Text, null=True),
        _column("token", sa.Text, null=True),
        _column("default_branch", sa.Text),
        _column("visibility", sa.Text),
        _column("next_number", sa.Integer),
        _column("badge_key", sa.Text),
        _column("created_at", sa.Double),
        _key("repositories", "id"),
        _unique("repositories", "name"),
        sqlite_autoincrement=True,
    )


def _hooks() -> None:
    op.create_table(
        "hooks",
        _column("id", sa.Text),
        _column("repository_id", sa.Integer),
        _column("forge", sa.Text),
        _column("secrets", sa.JSON),
        _column("created_at", sa.Double),
        _key("hooks", "id"),
        _points("hooks", "repository_id", "repositories"),
    )
    op.create_index(op.f("ix_hooks_repository_id"), "hooks", ["repository_id"])


def _runs() -> None:
    op.create_table(
        "runs",
        _column("id", sa.Text),
        _column("repository_id", sa.Integer),
        _column("number", sa.Integer),
        _column("kind", sa.Text),
        _column("event", sa.JSON),
        _column("event_key", sa.Text, null=True),
        _column("trust", sa.Text),
        _column("ref", sa.Text),
        _column("branch", sa.Text, null=True),
        _column("commit", sa.Text),
        _column("message", sa.Text),
        _column("author", sa.Text),
        _column("status", sa.Text),
        _column("reason", sa.Text),
        _column("warnings", sa.JSON),
        _column("attempt", sa.Integer),
        _column("created_at", sa.Double),
        _column("started_at", sa.Double, null=True),
        _column("ended_at", sa.Double, null=True),
        _column("source", sa.Text, null=True),
        _column("config", sa.Text, null=True),
        _column("plan", sa.JSON, null=True),
        _column("lease_owner", sa.Text, null=True),
        _column("lease_epoch", sa.Integer),
        _column("lease_until", sa.Double, null=True),
        _column("wanted", sa.Boolean),
        _key("runs", "id"),
        _points("runs", "repository_id", "repositories"),
        _unique("runs", "repository_id", "number"),
        _unique("runs", "repository_id", "event_key"),
    )
    op.create_index("ix_runs_repository_id_branch_id", "runs", ["repository_id", "branch", "id"])
    op.create_index(
        "ix_runs_wanted",
        "runs",
        ["id"],
        postgresql_where=sa.text("wanted"),
        sqlite_where=sa.text("wanted = 1"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _column("id", sa.Text),
        _column("hook_id", sa.Text),
        _column("forge_id", sa.Text, null=True),
        _column("event", sa.Text),
        _column("received_at", sa.Double),
        _column("outcome", sa.Text),
        _column("reason", sa.Text, null=True),
        _column("body_digest", sa.Text, null=True),
        _key("deliveries", "id"),
        _points("deliveries", "hook_id", "hooks"),
        _unique("deliveries", "hook_id", "forge_id"),
    )
    op.create_index("ix_deliveries_hook_id_received_at", "deliveries", ["hook_id", "received_at"])


def _changes() -> None:
    op.create_table(
        "changes",
        _column("delivery_id", sa.Text),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        _column("ref", sa.Text),
        _column("commit", sa.Text),
        _column("run_id", sa.Text, null=True),
        _column("reason", sa.Text, null=True),
        _key("changes", "delivery_id", "position"),
        _points("changes", "delivery_id", "deliveries"),
        _points("changes", "run_id", "runs", "SET NULL"),
    )
    op.create_index(op.f("ix_changes_run_id"), "changes", ["run_id"])


def _journal() -> None:
    op.create_table(
        "journal",
        _column("run_id", sa.Text),
        sa.Column("sequence", sa.Integer, nullable=False, autoincrement=False),
        _column("epoch", sa.Integer),
        _column("at", sa.Double),
        _column("kind", sa.Text),
        _column("payload", sa.JSON),
        _key("journal", "run_id", "sequence"),
        _points("journal", "run_id", "runs"),
    )


def _results() -> list[sa.Column[Any]]:
    return [
        _column("outcome", sa.Text, null=True),
        _column("cause", sa.Text),
        _column("reason", sa.Text),
        _column("exit_code", sa.Integer, null=True),
        _column("started_at", sa.Double, null=True),
        _column("ended_at", sa.Double, null=True),
        _column("outputs", sa.JSON),
        _column("artifacts", sa.JSON),
        _column("snapshot", sa.Text, null=True),
        _column("warnings", sa.JSON),
    ]


def _steps() -> None:
    op.create_table(
        "steps",
        _column("run_id", sa.Text),
        _column("name", sa.Text),
        _column("position", sa.Integer),
        _column("kind", sa.Text),
        _column("state", sa.Text),
        _column("attempt", sa.Integer),
        _column("allow_failure", sa.Boolean),
        _column("needs", sa.JSON),
        *_results(),
        _key("steps", "run_id", "name"),
        _points("steps", "run_id", "runs"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        _column("run_id", sa.Text),
        _column("step", sa.Text),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        *_results(),
        _key("attempts", "run_id", "step", "number"),
        _points("attempts", "run_id", "runs"),
    )


def _commands() -> None:
    op.create_table(
        "commands",
        _column("id", _SERIAL),
        _column("run_id", sa.Text),
        _column("kind", sa.Text),
        _column("payload", sa.JSON),
        _column("by", sa.Text),
        _column("at", sa.Double),
        _column("done_at", sa.Double, null=True),
        _column("refused", sa.Text, null=True),
        _key("commands", "id"),
        _points("commands", "run_id", "runs"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_commands_run_id"), "commands", ["run_id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        _column("id", _SERIAL),
        _column("run_id", sa.Text),
        _column("repository_id", sa.Integer),
        _column("commit", sa.Text),
        _column("context", sa.Text),
        _column("state", sa.Text),
        _column("description", sa.Text),
        _column("url", sa.Text),
        _column("run_attempt", sa.Integer),
        _column("sequence", sa.Integer),
        _column("begun_at", sa.Double),
        _column("held", sa.Boolean),
        _column("open", sa.Boolean),
        _column("created_at", sa.Double),
        _column("next_try_at", sa.Double),
        _column("flying_until", sa.Double, null=True),
        _column("tries", sa.Integer),
        _column("taken_at", sa.Double, null=True),
        _column("refused", sa.Text, null=True),
        _column("last_error", sa.Text, null=True),
        _key("outbox", "id"),
        _points("outbox", "run_id", "runs"),
        _points("outbox", "repository_id", "repositories"),
        _unique("outbox", "run_id", "context", "run_attempt", "sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_run_id"), "outbox", ["run_id"])
    op.create_index(
        "ix_outbox_repository_id_commit_context", "outbox", ["repository_id", "commit", "context"]
    )
    op.create_index(
        "ix_outbox_open",
        "outbox",
        ["next_try_at"],
        postgresql_where=sa.text("open"),
        sqlite_where=sa.text("open = 1"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        _column("id", sa.Text),
        _column("name", sa.Text),
        _column("digest", sa.Text),
        _column("scopes", sa.JSON),
        _column("repository_id", sa.Integer, null=True),
        _column("created_at", sa.Double),
        _column("expires_at", sa.Double, null=True),
        _column("last_used_at", sa.Double, null=True),
        _column("revoked_at", sa.Double, null=True),
        _key("tokens", "id"),
        _points("tokens", "repository_id", "repositories"),
    )
    op.create_index(op.f("ix_tokens_repository_id"), "tokens", ["repository_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        _column("id", _SERIAL),
        _column("at", sa.Double),
        _column("who", sa.Text),
        _column("what", sa.Text),
        _column("about", sa.JSON),
        _key("audit", "id"),
        sqlite_autoincrement=True,
    )
