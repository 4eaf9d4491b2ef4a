"""Rows that tests begin with; each function writes what it returns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from pipelines.events import Event, Push, Trust
from pipelines.states import RunStatus
from runner.database import outbox, repositories, runs
from runner.database.identifiers import run_id
from runner.database.outbox import NewStatus, OutboxRow
from runner.database.repositories import Repository
from runner.database.runs import Run

NOW = 1_750_000_000.0
COMMIT = "1" * 40
EVENT = Push(branch="main", commit=COMMIT, message="Fix", author="Ada")


def a_repository(tx: Connection, name: str = "acme/demo") -> Repository:
    return repositories.add(tx, name=name, forge="git", clone_url="https://x/y.git", at=NOW)


def a_run(
    tx: Connection,
    repository: Repository,
    *,
    at: float = NOW,
    event: Event = EVENT,
    branch: str | None = "main",
    event_key: str | None = None,
    **values: Any,
) -> Run:
    run = Run(
        id=run_id(at),
        repository_id=repository.id,
        number=repositories.take_number(tx, repository.id),
        kind=event.kind,
        event=event,
        event_key=event_key,
        trust=Trust.TRUSTED,
        ref=event.ref,
        branch=branch,
        commit=event.commit,
        created_at=at,
        **values,
    )
    runs.add(tx, run)
    return run


def a_claimed_run(tx: Connection, owner: str = "me") -> Run:
    a_run(tx, a_repository(tx))
    return runs.claim(tx, owner, NOW, 60, 1)[0]


def a_status(
    tx: Connection,
    run: Run,
    sequence: int,
    *,
    attempt: int = 1,
    at: float = NOW,
    held: bool = False,
    commit: str = COMMIT,
    context: str = "hookline",
    state: RunStatus = RunStatus.RUNNING,
) -> OutboxRow:
    status = NewStatus(
        run_id=run.id,
        repository_id=run.repository_id,
        commit=commit,
        context=context,
        state=state,
        description=f"{attempt}/{sequence}",
        url="https://ci/runs/x",
        run_attempt=attempt,
        sequence=sequence,
        held=held,
    )
    outbox.put(tx, status, at)
    return next(
        row
        for row in outbox.of(tx, run.id)
        if (row.run_attempt, row.sequence, row.context) == (attempt, sequence, context)
    )
