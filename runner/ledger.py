"""What the engine reads and writes: leases, journals, and everything that follows from them.

One `Writing` is one transaction: the journal's records, the rows made from them, the status for the
forge, the commands that are done. Nothing of it is there without the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from pipelines.states import Cause, Outcome, RunStatus, State
from pipelines.variables import RunFacts
from runner.clock import Clock
from runner.database import attempts, commands, journal, outbox, repositories, runs, steps
from runner.database.connection import Database
from runner.executors.base import AttemptId
from webhooks.statuses import context_of

LEASE = 30.0
"""Seconds for which a run is held without a word of its holder."""

AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the forge is to show of a run."""

    state: RunStatus
    description: str
    url: str
    run_attempt: int
    sequence: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a run came to know of itself when it was prepared."""

    config: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Writing:
    """One transaction about a run that is held under `run.lease_epoch`.

    `done` holds the commands that were carried out, as (id, why refused). `begun` says that the
    status held back since the delivery has been overtaken by what is told now.
    """

    run: runs.Run
    records: tuple[journal.JournalRecord, ...] = ()
    steps: tuple[steps.Step, ...] = ()
    attempts: tuple[attempts.Attempt, ...] = ()
    planned: Planned | None = None
    report: Report | None = None
    done: tuple[tuple[int, str | None], ...] = ()
    begun: bool = False


@dataclass(frozen=True)
class GivenUp:
    """The rows of what had not ended when its run was given up, ended."""

    steps: tuple[steps.Step, ...]
    attempts: tuple[attempts.Attempt, ...]


@dataclass(frozen=True)
class Ledger:
    """The engine's view of the database; `owner` names this process."""

    database: Database
    clock: Clock
    owner: str
    base_url: str = ""
    status_context: str = "hookline"

    def claim(self, now: float) -> list[runs.Run]:
        """Take the runs that want something and that nobody holds."""
        claimed = self.database.transact(lambda tx: runs.claim(tx, self.owner, now, LEASE, AT_ONCE))
        return list(claimed)

    def renew(self, held: Collection[str], now: float) -> set[str]:
        """Hold runs for longer; return those that somebody else holds by now."""
        if not held:
            return set()
        still = self.database.transact(lambda tx: runs.renew(tx, self.owner, held, now + LEASE))
        return set(held) - still

    def let_go(self) -> None:
        """Give back whatever this process holds, for it has lost its memory."""
        self.database.transact(lambda tx: runs.abandon(tx, self.owner))

    def facts(self, run: runs.Run) -> RunFacts:
        """Return what the steps of a run may know of it."""
        with self.database.read() as tx:
            repository = repositories.find(tx, run.repository_id)
        return RunFacts(
            run=run.id,
            number=run.number,
            repository=repository.name if repository else "",
            url=f"{self.base_url}/runs/{run.id}" if self.base_url else "",
        )

    def history(self, run: str) -> list[journal.JournalRecord]:
        """Return the journal of a run."""
        with self.database.read() as tx:
            return journal.read(tx, run)

    def config(self, run: str) -> str:
        """Return the pipeline file of a run that was planned."""
        with self.database.read() as tx:
            documents = runs.documents(tx, run)
        if documents is None or documents.config is None:
            message = f"run {run} was planned, but its pipeline file is not there"
            raise LookupError(message)
        return documents.config

    def commands(self) -> list[commands.Command]:
        """Return what was asked of the runs this process holds."""
        with self.database.read() as tx:
            return commands.held_by(tx, self.owner)

    def attempts(self, run: str) -> list[AttemptId]:
        """Return every attempt that a run has had."""
        with self.database.read() as tx:
            return [AttemptId(run, one.step, one.number) for one in attempts.of(tx, run)]

    def given_up(self, run: str, reason: str, at: float) -> GivenUp:
        """Return how the steps and attempts of a run that had not ended look if they end now."""
        with self.database.read() as tx:
            steps_now, attempts_now = steps.of(tx, run), attempts.of(tx, run)
        end = {"outcome": Outcome.ERROR, "cause": Cause.LOST, "reason": reason, "ended_at": at}
        return GivenUp(
            tuple(
                replace(step, state=State.ERROR, **end)  # type: ignore[arg-type]
                for step in steps_now
                if not step.state.terminal
            ),
            tuple(
                replace(attempt, **end)  # type: ignore[arg-type]
                for attempt in attempts_now
                if attempt.ended_at is None
            ),
        )

    def record(self, writing: Writing) -> None:
        """Write one transaction; raises LeaseLost, and then nothing is written."""
        self.database.transact(lambda tx: self._record(tx, writing))

    def remove(self, run: runs.Run, reason: str) -> None:
        """Undo a run that turned out to be none; its delivery keeps the reason."""
        self.database.transact(lambda tx: runs.remove(tx, run, reason))

    def settle(self, run: runs.Run) -> bool:
        """Let go of an ended run; return whether no command had come in between."""
        return self.database.transact(lambda tx: runs.settle(tx, run.id, run.lease_epoch))

    def _record(self, tx: Connection, writing: Writing) -> None:
        run = writing.run
        epoch = run.lease_epoch
        journal.append(tx, run.id, epoch, writing.records)
        runs.change(
            tx,
            run.id,
            epoch,
            commit=run.commit,
            message=run.message,
            author=run.author,
            status=run.status,
            reason=run.reason,
            warnings=run.warnings,
            attempt=run.attempt,
            started_at=run.started_at,
            ended_at=run.ended_at,
        )
        if writing.planned is not None:
            planned = writing.planned
            runs.change(tx, run.id, epoch, config=planned.config, source=planned.source)
        steps.put(tx, run.id, epoch, writing.steps)
        for attempt in writing.attempts:
            attempts.put(tx, epoch, attempt)
        for command, refused in writing.done:
            commands.done(tx, command, self.clock.now(), refused)
        if writing.begun:
            # What was held since the delivery has been overtaken, and may name a tag's object.
            outbox.drop(tx, run.id)
        if writing.report is not None:
            self._report(tx, run, writing.report)

    def _report(self, tx: Connection, run: runs.Run, report: Report) -> None:
        status = outbox.NewStatus(
            run_id=run.id,
            repository_id=run.repository_id,
            commit=run.commit,
            context=context_of(self.status_context, run.event),
            state=report.state,
            description=report.description,
            url=report.url,
            run_attempt=report.run_attempt,
            sequence=report.sequence,
        )
        outbox.put(tx, status, report.at)
