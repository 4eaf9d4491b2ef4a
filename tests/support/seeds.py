"""An instance with rows in it, as tests of the API and the pages want them.

instance = open_instance(tmp_path, "sqlite:///...")
repository = instance.repository("acme/demo", Visibility.PUBLIC)
run = instance.run(repository, steps=[a_step("lint"), a_step("test", State.FAILURE)])
instance.log(run, "test", "1 failed")
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from pipelines.events import Event, Push, trust_of
from pipelines.states import Cause, Outcome, RunStatus, State
from runner.api.app import create_app
from runner.api.events import Pace
from runner.clock import ManualClock
from runner.database import attempts, deliveries, hooks, repositories, runs, steps, tokens
from runner.database.attempts import Attempt
from runner.database.connection import Database, open_database
from runner.database.deliveries import Change, StoredDelivery
from runner.database.identifiers import random_id, run_id
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.steps import Step
from runner.database.words import DeliveryOutcome, StepKind, Visibility
from runner.executors.base import Artifact, AttemptId
from runner.feed import Feed
from runner.inbox import DatabaseInbox
from runner.logs import LogBook
from runner.objects.memory import MemoryStore
from runner.secrets import Keyring, hook_context
from runner.services import Services
from runner.settings_model import Settings
from runner.tokens import Scope, mint
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots
from webhooks.forges.registry import all_forges
from webhooks.receiver import Receiver

NOW = 1_750_000_000.0
COMMIT = "3f1c0de" + "0" * 33
SECRET = "whsec_" + "QUFB" * 10
QUICK = Pace(run=0.02, log=0.02, heartbeat=0.04)

_OUTCOMES = {
    State.SUCCESS: Outcome.SUCCESS,
    State.FAILURE: Outcome.FAILURE,
    State.ERROR: Outcome.ERROR,
    State.CANCELLED: Outcome.CANCELLED,
}
_RAN = frozenset({State.SUCCESS, State.FAILURE, State.RUNNING})


class Bell:
    """Counts how often the engine was woken."""

    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


def a_step(name: str, state: State = State.SUCCESS, **values: Any) -> Step:
    """Return a step as it stands in a state: those that ran have an attempt and took 3.4 s."""
    ran = state in _RAN
    known: dict[str, Any] = {
        "run_id": "",
        "name": name,
        "position": 0,
        "state": state,
        "attempt": 1 if ran else 0,
        "outcome": _OUTCOMES.get(state) if ran else None,
        "cause": Cause.EXIT_CODE if state is State.FAILURE else Cause.NONE,
        "reason": "exited with 1" if state is State.FAILURE else "",
        "exit_code": {State.SUCCESS: 0, State.FAILURE: 1}.get(state),
        "started_at": NOW + 2 if ran else None,
        "ended_at": NOW + 5.4 if state.terminal else None,
    }
    return Step(**{**known, **values})


def a_finally_step(name: str, state: State = State.SUCCESS, **values: Any) -> Step:
    """Return the same for a step that comes after all others."""
    return a_step(name, state, kind=StepKind.FINALLY, **values)


@dataclass
class Instance:
    """An instance whose clock stands still and whose engine is a bell."""

    services: Services
    bell: Bell
    receiver: Receiver

    @property
    def database(self) -> Database:
        """The database."""
        return self.services.database

    @property
    def clock(self) -> ManualClock:
        """The clock, to be advanced."""
        assert isinstance(self.services.clock, ManualClock)
        return self.services.clock

    def app(self, pace: Pace = QUICK) -> Starlette:
        """Return the instance's application."""
        return create_app(self.services, self.receiver, pace)

    def repository(
        self, name: str = "acme/demo", visibility: Visibility = Visibility.PRIVATE, **values: Any
    ) -> Repository:
        """Write a repository."""
        known = {"forge": "git", "clone_url": f"https://git.example.com/{name}.git", "at": NOW}
        with self.database.write() as tx:
            return repositories.add(tx, name=name, visibility=visibility, **{**known, **values})

    def token(
        self, scope: Scope, repository: Repository | None = None, name: str = "ada", **values: Any
    ) -> str:
        """Write a token and return its text."""
        bound = repository.id if repository else None
        text, token = mint(name, (scope,), NOW, repository_id=bound, **values)
        with self.database.write() as tx:
            tokens.add(tx, token)
        return text

    def bearer(
        self, scope: Scope, repository: Repository | None = None, **values: Any
    ) -> dict[str, str]:
        """Write a token and return the headers that show it."""
        return {"Authorization": f"Bearer {self.token(scope, repository, **values)}"}

    def hook(self, repository: Repository) -> str:
        """Write a hook, whose secret is SECRET, and return its id."""
        hook_id = hooks.new_id()
        sealed = self.services.keyring.encrypt(SECRET, hook_context(hook_id))
        with self.database.write() as tx:
            hooks.add(
                tx,
                hook_id=hook_id,
                repository_id=repository.id,
                forge=repository.forge,
                secrets=(sealed,),
                at=NOW,
            )
        return hook_id

    def run(
        self,
        repository: Repository,
        status: RunStatus = RunStatus.SUCCESS,
        *,
        steps: Sequence[Step] = (),
        event: Event | None = None,
        **values: Any,
    ) -> Run:
        """Write a run with its steps, in their order; each step that ran has its attempt."""
        happened = event or Push(branch="main", commit=COMMIT, message="Fix it", author="Ada")
        with self.database.write() as tx:
            number = repositories.take_number(tx, repository.id)
            known: dict[str, Any] = {
                "id": run_id(NOW + number),
                "repository_id": repository.id,
                "number": number,
                "kind": happened.kind,
                "event": happened,
                "trust": trust_of(happened),
                "ref": happened.ref,
                "branch": getattr(happened, "branch", None),
                "commit": happened.commit,
                "message": happened.message,
                "author": happened.author,
                "status": status,
                "created_at": NOW,
                "started_at": None if status is RunStatus.QUEUED else NOW + 1,
                "ended_at": NOW + 9 if status.terminal else None,
                "wanted": not status.terminal,
            }
            run = Run(**{**known, **values})
            runs.add(tx, run)
        self.put(run, *(replace(step, position=place) for place, step in enumerate(steps)))
        return run

    def put(self, run: Run, *changed: Step) -> None:
        """Write how steps stand now, and their latest attempts."""
        own = [replace(step, run_id=run.id) for step in changed]
        with self.database.write() as tx:
            steps.put(tx, run.id, run.lease_epoch, own)
            for step in own:
                if step.attempt:
                    attempts.put(tx, run.lease_epoch, attempt_of(step))

    def attempt(self, run: Run, attempt: Attempt) -> None:
        """Write an attempt beside the latest one."""
        with self.database.write() as tx:
            attempts.put(tx, run.lease_epoch, replace(attempt, run_id=run.id))

    def change(self, run: Run, **values: Any) -> None:
        """Change a run as its holder does, and tell those who watch it."""
        with self.database.write() as tx:
            runs.change(tx, run.id, run.lease_epoch, **values)
        self.services.feed.publish(run.id)

    def log(
        self, run: Run, step: str, *lines: str, number: int = 1, at: float = NOW + 3, by: float = 1
    ) -> None:
        """Append lines to the live log of an attempt, each some seconds after the one before."""
        path = self.services.logbook.spool(AttemptId(run.id, step, number))
        with path.open("ab") as file:
            for place, text in enumerate(lines):
                file.write(f"{at + place * by:.6f} {text}\n".encode("utf-8", "surrogateescape"))

    def snapshot(self, files: Mapping[str, bytes]) -> tuple[str, tuple[Artifact, ...]]:
        """Store a snapshot of files; return its digest, and the files as artifacts."""
        folder = Path(tempfile.mkdtemp(dir=self.services.settings.data))
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found = capture(folder, EMPTY, Index(0, {}), self.services.snapshots, ())
        entries = found.manifest.files()
        return found.digest, tuple(
            Artifact(path=e.path, size=e.size, digest=e.digest) for e in entries
        )

    def delivery(self, hook_id: str, *changes: tuple[str, str | None, str | None]) -> str:
        """Write a delivery of changes (ref, run id, reason) and return its id."""
        delivery = StoredDelivery(
            id=random_id(),
            hook_id=hook_id,
            forge_id=random_id(),
            event="push",
            received_at=NOW,
            outcome=DeliveryOutcome.ACCEPTED,
        )
        with self.database.write() as tx:
            deliveries.add(tx, delivery)
            for position, (ref, run, reason) in enumerate(changes):
                change = Change(
                    delivery_id=delivery.id,
                    position=position,
                    ref=ref,
                    commit=COMMIT,
                    run_id=run,
                    reason=reason,
                )
                deliveries.add_change(tx, change)
        return delivery.id


def attempt_of(step: Step) -> Attempt:
    """Return the attempt that a step's state tells of."""
    return Attempt(
        run_id=step.run_id,
        step=step.name,
        number=step.attempt,
        outcome=step.outcome,
        cause=step.cause,
        reason=step.reason,
        exit_code=step.exit_code,
        started_at=step.started_at,
        ended_at=step.ended_at,
        outputs=step.outputs,
        artifacts=step.artifacts,
        snapshot=step.snapshot,
        warnings=step.warnings,
    )


def open_instance(
    data: Path, database_url: str, url: str = "http://testserver", now: float = NOW + 60
) -> Instance:
    """Return an instance on a migrated database; close its database in the end."""
    objects = MemoryStore(lambda: NOW)
    bell = Bell()
    services = Services(
        settings=Settings(data=data, url=url),
        clock=ManualClock(now),
        database=open_database(database_url),
        keyring=Keyring([bytes(32)]),
        objects=objects,
        snapshots=Snapshots(objects),
        logbook=LogBook(data / "spool", objects),
        feed=Feed(),
        wake=bell,
    )
    inbox = DatabaseInbox(
        services.database, services.keyring, services.clock, services.settings, bell
    )
    return Instance(services, bell, Receiver(inbox, all_forges(), services.clock.now))
