"""How each step of a run stands, for those who look: the journal stays the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from pipelines.states import Cause, Outcome, State
from runner.database import runs
from runner.database.rows import every, first
from runner.database.tables import steps
from runner.database.words import StepKind
from runner.executors.base import Artifact


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a run; `attempt` is the number of its latest attempt, 0 before the first.

    `services` are the names of what runs beside it, None where that was not written down.
    `outputs` maps names to texts; `snapshot` is the digest of what the step left behind.
    """

    run_id: str
    name: str
    position: int
    kind: StepKind = StepKind.NORMAL
    state: State = State.PENDING
    attempt: int = 0
    allow_failure: bool = False
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] | None = None
    outcome: Outcome | None = None
    cause: Cause = Cause.NONE
    reason: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    snapshot: str | None = None
    warnings: tuple[str, ...] = ()


def put(tx: Connection, run_id: str, epoch: int, changed: Collection[Step]) -> None:
    """Write how steps stand now, new ones and old. Raises `LeaseLost`."""
    runs.fence(tx, run_id, epoch)
    if changed:
        names = [step.name for step in changed]
        tx.execute(delete(steps).where(steps.c.run_id == run_id, steps.c.name.in_(names)))
        tx.execute(insert(steps), [{**vars(step), "run_id": run_id} for step in changed])


def of(tx: Connection, run_id: str) -> list[Step]:
    """Return the steps of a run in the order of their positions."""
    query = select(steps).where(steps.c.run_id == run_id)
    return every(tx, query.order_by(steps.c.position, steps.c.name), Step)


def find(tx: Connection, run_id: str, name: str) -> Step | None:
    """Return one step of a run."""
    here = (steps.c.run_id == run_id) & (steps.c.name == name)
    return first(tx, select(steps).where(here), Step)
