"""What happened to each run, in the order it was decided; all else can be told from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, func, insert, select

from runner.database import runs
from runner.database.rows import every
from runner.database.tables import journal


@dataclass(frozen=True, kw_only=True)
class JournalRecord:
    """Something that happened to a run: its place, counted from 1, and when, in epoch seconds."""

    sequence: int
    at: float
    kind: str
    payload: dict[str, Any]


def append(tx: Connection, run_id: str, epoch: int, records: Sequence[JournalRecord]) -> None:
    """Write records behind those that are there; their sequences go on without a gap.

    Raises `LeaseLost` unless the run is held under `epoch`, and `ValueError` for a record that does
    not follow the one before it: its writer has not read the journal to the end.
    """
    runs.fence(tx, run_id, epoch)
    end = last(tx, run_id)
    for expected, record in enumerate(records, end + 1):
        if record.sequence != expected:
            message = f"run {run_id}: record {record.sequence} ({record.kind}) is not {expected}"
            raise ValueError(message)
    if records:
        about = {"run_id": run_id, "epoch": epoch}
        tx.execute(insert(journal), [{**about, **vars(record)} for record in records])


def read(tx: Connection, run_id: str, after: int = 0) -> list[JournalRecord]:
    """Return a run's records behind the sequence `after`, in their order."""
    columns = [journal.c[field.name] for field in fields(JournalRecord)]
    here = (journal.c.run_id == run_id) & (journal.c.sequence > after)
    query = select(*columns).where(here).order_by(journal.c.sequence)
    return every(tx, query, JournalRecord)


def last(tx: Connection, run_id: str) -> int:
    """Return the sequence of a run's last record, 0 without one."""
    query = select(func.max(journal.c.sequence)).where(journal.c.run_id == run_id)
    return tx.execute(query).scalar() or 0
