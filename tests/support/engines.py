"""An engine on a real database, with an executor, a preparer and a clock that tests direct."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from pipelines import loader, planning
from pipelines.events import Push, Trust
from runner.clock import ManualClock
from runner.database import attempts, commands, journal, outbox, repositories, runs, steps
from runner.database.connection import Database
from runner.database.identifiers import run_id
from runner.database.words import CommandKind
from runner.engine import Engine
from runner.executors.base import Executor
from runner.executors.fake import FakeExecutor, FakeWorld
from runner.ledger import Ledger
from runner.logs import LogBook
from runner.objects.memory import MemoryStore
from runner.pool import InlinePool
from runner.preparing import Preparation, Prepared, Preparer, Task
from runner.replanning import Replanner
from runner.starting import Starter
from runner.vault import GivenVault, Vault
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots

LIMITS = planning.Limits()
COMMIT = "c0ffee" + "0" * 34


@dataclass
class ScriptedPreparer:
    """Prepares every run from one pipeline file, or says what it was told to say first."""

    text: str
    source: str
    answers: list[Preparation | Exception] = field(default_factory=list)
    asked: list[Task] = field(default_factory=list)

    def prepare(self, task: Task) -> Preparation:
        """Return the next answer, or a plan of the file."""
        self.asked.append(task)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        plan = planning.plan(loader.load(self.text), task.event, LIMITS)
        return Prepared(
            config=self.text,
            plan=plan,
            changed=None,
            source=self.source,
            commit=task.event.commit,
        )


@dataclass
class Bench:
    """What outlives an engine: database, store, world, clock; and an engine on them."""

    database: Database
    folder: Path
    text: str
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_000_000.0))
    capacity: int | None = None
    ahead: int = 0
    vault: Vault = field(default_factory=GivenVault)
    announced: list[str] = field(default_factory=list)
    owner: str = "embedded"

    def __post_init__(self) -> None:
        """Make the repository and the first engine."""
        self.world = FakeWorld(self.clock.now)
        self.objects = MemoryStore()
        self.snapshots = Snapshots(self.objects)
        self.preparer = ScriptedPreparer(self.text, self.snapshots.save(EMPTY))
        with self.database.write() as tx:
            self.repository = repositories.add(
                tx, name="acme/demo", forge="github", clone_url="https://x.test/r", at=0.0
            )
        self.engine = self.new_engine()

    def new_engine(
        self,
        *,
        ledger: Callable[[Ledger], Ledger] = lambda ledger: ledger,
        executor: Callable[[Executor], Executor] = lambda executor: executor,
        preparer: Callable[[Preparer], Preparer] = lambda preparer: preparer,
    ) -> Engine:
        """Return an engine as a server that has just started would make it."""
        own = ledger(Ledger(self.database, self.clock, self.owner, base_url="http://ci.test"))
        own.let_go()
        runs_it = executor(FakeExecutor(self.world))
        self.engine = Engine(
            ledger=own,
            executor=runs_it,
            preparer=preparer(self.preparer),
            starter=Starter(self.snapshots, runs_it),
            logbook=LogBook(self.folder / "spool", self.objects),
            clock=self.clock,
            pool=InlinePool(),
            preparations=InlinePool(),
            replanner=Replanner(own.config, LIMITS),
            announce=self.announced.append,
            capacity=self.capacity,
            ahead=self.ahead,
            vault=self.vault,
        )
        return self.engine

    def push(self, number: int = 1, *, branch: str = "main", commit: str = COMMIT) -> str:
        """Write a run for a push, as the inbox does; return its id."""
        now = self.clock.now()
        event = Push(branch=branch, commit=commit, message="hello", author="ann")
        run = runs.Run(
            id=run_id(now + number / 1000),
            repository_id=self.repository.id,
            number=number,
            kind=event.kind,
            event=event,
            event_key=f"push {number}",
            trust=Trust.TRUSTED,
            ref=event.ref,
            branch=branch,
            commit=commit,
            created_at=now,
        )
        self.database.transact(lambda tx: self._write(tx, run, now))
        self.engine.wake()
        return run.id

    def _write(self, tx: Connection, run: runs.Run, now: float) -> None:
        runs.add(tx, run)
        status = outbox.NewStatus(
            run_id=run.id,
            repository_id=run.repository_id,
            commit=run.commit,
            context="hookline",
            state=run.status,
            description="Queued",
            url=f"http://ci.test/runs/{run.id}",
            run_attempt=1,
            sequence=0,
            held=True,
        )
        outbox.put(tx, status, now)

    def ask(self, run: str, kind: CommandKind, by: str = "ann", **payload: str) -> None:
        """Ask something of a run, as the API does."""
        now = self.clock.now()
        self.database.transact(lambda tx: commands.add(tx, run, kind, dict(payload), by, now))
        self.engine.wake()

    def settle(self, turns: int = 200) -> None:
        """Turn the engine until nothing is left to do at this moment."""
        for _ in range(turns):
            self.engine.wake()
            before = self._story()
            wait = self.engine.turn()
            if wait > 0 and self._story() == before and not self.engine.has_messages():
                return
        message = "the engine does not come to rest"
        raise AssertionError(message)

    def _story(self) -> tuple[object, ...]:
        with self.database.read() as tx:
            known = runs.page(tx, limit=500)
            return tuple(
                (run.id, run.status, run.wanted, run.warnings, journal.last(tx, run.id))
                for run in known
            )

    def run(self, run: str) -> runs.Run:
        """Return the row of a run."""
        with self.database.read() as tx:
            found = runs.find(tx, run)
        assert found is not None
        return found

    def states(self, run: str) -> dict[str, str]:
        """Return the state of every step of a run."""
        with self.database.read() as tx:
            return {step.name: str(step.state) for step in steps.of(tx, run)}

    def reasons(self, run: str) -> dict[str, str]:
        """Return the reason of every step that has one."""
        with self.database.read() as tx:
            return {step.name: step.reason for step in steps.of(tx, run) if step.reason}

    def attempts(self, run: str) -> list[tuple[str, int, str | None]]:
        """Return every attempt of a run with its outcome."""
        with self.database.read() as tx:
            return [(a.step, a.number, a.outcome) for a in attempts.of(tx, run)]

    def statuses(self, run: str) -> list[tuple[str, str]]:
        """Return what the forge is to be told of a run, in order, what was overtaken included."""
        with self.database.read() as tx:
            return [(str(row.state), row.description) for row in outbox.of(tx, run)]

    def outcome(self, run: str) -> dict[str, object]:
        """Return all of a run that must not depend on when its server was killed."""
        row = self.run(run)
        return {
            "status": row.status,
            "reason": row.reason,
            "attempt": row.attempt,
            "steps": self.states(run),
            "attempts": self.attempts(run),
            "last status": self.statuses(run)[-1][0],
            "wanted": row.wanted,
        }


def without_lease(run: runs.Run) -> runs.Run:
    """Return a run without what says who holds it."""
    return replace(run, lease_owner=None, lease_epoch=0, lease_until=None)
