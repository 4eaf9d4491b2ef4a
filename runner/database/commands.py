"""What people asked of runs; whoever holds the run carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from runner.database.rows import every, inserted
from runner.database.tables import commands, runs
from runner.database.words import CommandKind


@dataclass(frozen=True, kw_only=True)
class Command:
    """Something asked of a run; it is done when `done_at` is there, `refused` says why in vain."""

    id: int
    run_id: str
    kind: CommandKind
    payload: dict[str, Any]
    by: str
    at: float
    done_at: float | None = None
    refused: str | None = None


def add(
    tx: Connection, run_id: str, kind: CommandKind, payload: dict[str, Any], by: str, at: float
) -> Command:
    """Write a command and make its run wanted, ended or not, so that somebody claims it."""
    values = {"run_id": run_id, "kind": kind, "payload": payload, "by": by, "at": at}
    command_id = inserted(tx, insert(commands).values(values))
    tx.execute(update(runs).where(runs.c.id == run_id).values(wanted=True))
    return Command(id=command_id, run_id=run_id, kind=kind, payload=payload, by=by, at=at)


def pending(tx: Connection, run_id: str) -> list[Command]:
    """Return a run's commands that wait, in the order they were given."""
    here = (commands.c.run_id == run_id) & commands.c.done_at.is_(None)
    return every(tx, select(commands).where(here).order_by(commands.c.id), Command)


def held_by(tx: Connection, owner: str) -> list[Command]:
    """Return the commands that wait for the runs an owner holds, in the order they were given."""
    query = select(commands).join_from(commands, runs)
    query = query.where(runs.c.lease_owner == owner, commands.c.done_at.is_(None))
    return every(tx, query.order_by(commands.c.id), Command)


def of(tx: Connection, run_id: str) -> list[Command]:
    """Return all commands a run was ever given, in their order."""
    query = select(commands).where(commands.c.run_id == run_id).order_by(commands.c.id)
    return every(tx, query, Command)


def done(tx: Connection, command_id: int, at: float, refused: str | None = None) -> None:
    """Write that a command was carried out, or why it was refused."""
    here = commands.c.id == command_id
    tx.execute(update(commands).where(here).values(done_at=at, refused=refused))
