"""Every try of every step; what one has come to is never written over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, insert, select, update

from pipelines.states import Cause, Outcome
from runner.database import runs
from runner.database.errors import AttemptEnded
from runner.database.rows import every, first
from runner.database.tables import attempts
from runner.executors.base import Artifact


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of a step; it has ended when `ended_at` is there."""

    run_id: str
    step: str
    number: int
    outcome: Outcome | None = None
    cause: Cause = Cause.NONE
    reason: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    snapshot: str | None = None
    warnings: tuple[str, ...] = ()


def put(tx: Connection, epoch: int, attempt: Attempt) -> None:
    """Write how an attempt stands; one that has ended stays as it is.

    Raises `AttemptEnded` if it is told to have ended otherwise, and `LeaseLost`.
    """
    runs.fence(tx, attempt.run_id, epoch)
    known = find(tx, attempt.run_id, attempt.step, attempt.number)
    if known is None:
        tx.execute(insert(attempts).values(vars(attempt)))
    elif known.ended_at is None:
        here = _place(attempt.run_id, attempt.step, attempt.number)
        tx.execute(update(attempts).where(here).values(vars(attempt)))
    elif _end(known) != _end(attempt):
        place = f"{attempt.step}#{attempt.number} of run {attempt.run_id}"
        message = f"{place} has ended ({known.outcome}) and cannot end again ({attempt.outcome})"
        raise AttemptEnded(message)


def find(tx: Connection, run_id: str, step: str, number: int) -> Attempt | None:
    """Return one attempt."""
    return first(tx, select(attempts).where(_place(run_id, step, number)), Attempt)


def of(tx: Connection, run_id: str, step: str | None = None) -> list[Attempt]:
    """Return the attempts of a run, or of one of its steps, by step and number."""
    query = select(attempts).where(attempts.c.run_id == run_id)
    if step is not None:
        query = query.where(attempts.c.step == step)
    return every(tx, query.order_by(attempts.c.step, attempts.c.number), Attempt)


def _end(attempt: Attempt) -> tuple[object, ...]:
    return (attempt.outcome, attempt.cause, attempt.exit_code, attempt.ended_at, attempt.snapshot)


def _place(run_id: str, step: str, number: int) -> ColumnElement[bool]:
    here = (attempts.c.run_id == run_id) & (attempts.c.step == step)
    return here & (attempts.c.number == number)
