"""One run of a checkout on this machine: the same engine, on a database and a store of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from pipelines import loader, planning
from pipelines.errors import ConfigError, Mistake
from pipelines.events import Event, PullRequest, Push, Tag, Trust
from pipelines.machine import Machine
from pipelines.plan import Plan
from pipelines.progress import StepProgress
from pipelines.schema import Config
from pipelines.states import RunStatus
from runner.clock import SystemClock
from runner.database import commands, repositories, runs
from runner.database.connection import Database, open_database
from runner.database.identifiers import run_id
from runner.database.tables import metadata
from runner.database.words import CommandKind, Visibility
from runner.engine import Engine
from runner.executors import host
from runner.executors.base import AttemptId, Phase
from runner.executors.local import LocalExecutor
from runner.git import WorkingTree
from runner.ledger import Ledger
from runner.logs import START, LogBook, LogLine, Position
from runner.objects.filesystem import FilesystemStore
from runner.pool import InlinePool, ThreadPool
from runner.preparing import CONFIG_PATH, FixedPreparer
from runner.replanning import Replanner
from runner.starting import Starter
from runner.vault import GivenVault, Vault
from runner.workspace.capture import capture
from runner.workspace.contents import Contents
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots

LIMITS = planning.Limits(waiting_timeout=86400.0, services=False)
_NO_COMMIT = "0" * 40
_FAREWELL = 3.0
"""Seconds that steps have to end when a run is left before it has ended."""
_PATIENCE = 0.1
"""Seconds between two looks at the logs of what runs."""


@dataclass(frozen=True)
class Update:
    """How things stand: every step, the log lines since the last update, the run itself."""

    steps: Mapping[str, StepProgress]
    lines: Sequence[tuple[str, int, LogLine]]
    status: RunStatus
    warnings: tuple[str, ...]


@dataclass
class LocalRun:
    """A run that goes on in the background; `watch` tells of it until it ends."""

    plan: Plan
    run: str
    database: Database
    engine: Engine
    executor: LocalExecutor
    logbook: LogBook
    snapshots: Snapshots
    news: threading.Event
    _positions: dict[AttemptId, Position] = field(default_factory=dict)

    @property
    def machine(self) -> Machine | None:
        """The run's machine; None before it begins."""
        live = self.engine.holding(self.run)
        if live is not None and live.machine is not None:
            self._machine = live.machine
        return getattr(self, "_machine", None)

    @property
    def status(self) -> RunStatus:
        """How the run stands."""
        return self._row().status

    def watch(self) -> Iterator[Update]:
        """Yield an update whenever something happened, the last one with the run's end."""
        while True:
            self.news.wait(_PATIENCE)
            self.news.clear()
            row = self._row()
            machine = self.machine
            steps = dict(machine.steps) if machine else {}
            lines = list(self._new_lines(steps))
            yield Update(steps, lines, row.status, row.warnings)
            if row.status.terminal and self.engine.idle():
                rest = list(self._new_lines(steps))
                if rest:
                    yield Update(steps, rest, row.status, row.warnings)
                return

    def cancel(self) -> None:
        """Ask the run to end: steps get SIGTERM, `finally` steps still run."""
        now = SystemClock().now()
        self.database.transact(
            lambda tx: commands.add(tx, self.run, CommandKind.CANCEL, {}, "you", now)
        )
        self.engine.wake()

    def end_everything(self) -> None:
        """End what still runs, by force if it does not go by itself in a few seconds."""
        machine = self.machine
        wanted = machine.wanted().values() if machine else ()
        attempts = [AttemptId(self.run, want.step, want.attempt) for want in wanted]
        for attempt in attempts:
            self.executor.stop(attempt)
        patience = time.monotonic() + _FAREWELL
        while any(self._lives(attempt) for attempt in attempts):
            if time.monotonic() > patience:
                for attempt in attempts:
                    self.executor.kill(attempt)
                return
            time.sleep(_PATIENCE)

    def _lives(self, attempt: AttemptId) -> bool:
        return self.executor.look(attempt).phase in (Phase.WAITING, Phase.RUNNING)

    def copy_artifacts(self, step: str, into: Path) -> list[Path]:
        """Write the artifacts of a step below a folder; return where they are."""
        machine = self.machine
        attempt = machine.steps[step].attempt if machine else None
        if attempt is None or attempt.snapshot is None:
            return []
        manifest = self.snapshots.load(attempt.snapshot)
        contents = Contents(self.snapshots.objects, manifest)
        written = []
        for artifact in attempt.artifacts:
            target = into / str(artifact["path"])
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                out.writelines(contents.read(manifest.entries[str(artifact["path"])]))
            written.append(target)
        return written

    def _row(self) -> runs.Run:
        with self.database.read() as tx:
            row = runs.find(tx, self.run)
        if row is None:
            message = f"run {self.run} is gone"
            raise LookupError(message)
        return row

    def _new_lines(self, steps: Mapping[str, StepProgress]) -> Iterator[tuple[str, int, LogLine]]:
        for name, step in steps.items():
            for attempt in list(step.attempts):
                yield from self._lines_of(AttemptId(self.run, name, attempt.number))

    def _lines_of(self, attempt: AttemptId) -> Iterator[tuple[str, int, LogLine]]:
        while True:
            page = self.logbook.page(attempt, self._positions.get(attempt, START))
            self._positions[attempt] = page.next
            yield from ((attempt.step, attempt.number, line) for line in page.lines)
            if not page.lines:
                return


@contextmanager
def open_local_run(
    path: Path,
    *,
    file: Path | None = None,
    event: str | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    pass_environment: tuple[str, ...] | None = None,
    jobs: int | None = None,
) -> Iterator[LocalRun]:
    """Run the pipeline of a checkout as it lies there, uncommitted changes included.

    `event` is `push:BRANCH`, `tag:NAME` or `pull_request:BRANCH`; without it, a push of the branch
    that is checked out. `env` outranks the file, `secrets` are for the steps that name them,
    `pass_environment` adds to the variables of this machine that steps see, `jobs` is how many steps
    may run at once. Raises ConfigError, PlanError, GitError and ValueError for an event it does not
    know. What the run left is gone when the context ends.
    """
    tree = WorkingTree(path)
    config_path = file or tree.top / CONFIG_PATH
    text, config = _read_config(config_path)
    happened = _event(tree, event)
    config = _with_variables(config, env or {})
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="hookline-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        vault = GivenVault(secrets or {})
        local = _open(folder, tree, config, text, happened, vault, pass_environment, jobs, stack)
        stop = threading.Event()
        thread = threading.Thread(target=local.engine.serve, args=(stop,), name="hookline-engine")
        thread.start()
        try:
            yield local
        finally:
            stop.set()
            local.engine.wake()
            thread.join()
            local.end_everything()


def _open(
    folder: Path,
    tree: WorkingTree,
    config: Config,
    text: str,
    event: Event,
    vault: Vault,
    pass_environment: tuple[str, ...] | None,
    jobs: int | None,
    stack: ExitStack,
) -> LocalRun:
    clock = SystemClock()
    database = open_database(f"sqlite:///{folder / 'run.db'}")
    stack.callback(database.close)
    with database.write() as tx:
        metadata.create_all(tx)
    objects = FilesystemStore(folder / "objects", durable=False)
    snapshots = Snapshots(objects)
    logbook = LogBook(folder / "spool", objects)
    source = capture(tree.top, EMPTY, Index(), snapshots, (), paths=tree.files())
    run = _write_run(database, tree.top.name, event, clock.now())
    executor = LocalExecutor(
        folder / "work",
        objects=folder / "objects",
        logs=logbook,
        pass_environment=(*host.PASSED, *(pass_environment or ())),
    )
    stack.callback(executor.close)
    pool = ThreadPool(4)
    stack.callback(pool.close)
    ledger = Ledger(database, clock, owner="local")
    news = threading.Event()
    preparer = FixedPreparer(
        config=config, text=text, source=source.digest, limits=LIMITS, warnings=source.warnings
    )
    engine = Engine(
        ledger=ledger,
        executor=executor,
        preparer=preparer,
        starter=Starter(snapshots, executor),
        logbook=logbook,
        clock=clock,
        pool=pool,
        preparations=InlinePool(),
        replanner=Replanner(ledger.config, LIMITS),
        announce=lambda _run: news.set(),
        capacity=jobs or os.cpu_count() or 1,
        vault=vault,
    )
    plan = planning.plan(config, event, LIMITS)
    return LocalRun(plan, run, database, engine, executor, logbook, snapshots, news)


def _read_config(path: Path) -> tuple[str, Config]:
    try:
        content = path.read_bytes()
    except OSError as error:
        mistake = Mistake(
            "unreadable",
            f"it cannot be read: {error.strerror}",
            "name the pipeline's file with --file, or write one",
            path=str(path),
        )
        raise ConfigError((mistake,)) from error
    config = loader.load(content, path=os.path.relpath(path))
    return content.decode(), config


def _with_variables(config: Config, env: Mapping[str, str]) -> Config:
    """Return the config with variables that outrank those of every step."""
    if not env:
        return config
    literal = {name: value.replace("${{", "$${{") for name, value in env.items()}

    def changed(steps: Mapping[str, object]) -> dict[str, object]:
        return {
            name: step.model_copy(update={"env": {**step.env, **literal}})  # type: ignore[attr-defined]
            for name, step in steps.items()
        }

    return config.model_copy(
        update={"steps": changed(config.steps), "finally_": changed(config.finally_)}
    )


def _event(tree: WorkingTree, told: str | None) -> Event:
    """Return the event that a run is to believe in, on the commit that is checked out."""
    head = tree.head()
    commit = head.id if head else _NO_COMMIT
    message, author = (head.message, head.author) if head else ("", "")
    branch = tree.branch() or "HEAD"
    kind, _, name = (told or f"push:{branch}").partition(":")
    match kind:
        case "push":
            return Push(branch=name or branch, commit=commit, message=message, author=author)
        case "tag" if name:
            return Tag(tag=name, commit=commit, message=message, author=author)
        case "pull_request":
            return PullRequest(
                number=0,
                action="opened",
                branch=name or "main",
                source_branch=branch,
                commit=commit,
                ref=f"refs/heads/{branch}",
                fork=False,
                message=message,
                author=author,
            )
        case _:
            problem = f"{told!r} is no event: write push:BRANCH, tag:NAME or pull_request:BRANCH"
            raise ValueError(problem)


def _write_run(database: Database, name: str, event: Event, now: float) -> str:
    """Write the run, and the repository it is of; return its id."""
    run = run_id(now)

    def write(tx: Connection) -> None:
        repository = repositories.add(
            tx,
            name=name or "checkout",
            forge="git",
            clone_url=".",
            default_branch="main",
            visibility=Visibility.PRIVATE,
            at=now,
        )
        row = runs.Run(
            id=run,
            repository_id=repository.id,
            number=repositories.take_number(tx, repository.id),
            kind=event.kind,
            event=event,
            trust=Trust.TRUSTED,
            ref=event.ref,
            branch=None if isinstance(event, Tag) else event.branch,
            commit=event.commit,
            message=event.message,
            author=event.author,
            created_at=now,
        )
        runs.add(tx, replace(row, status=RunStatus.QUEUED))

    database.transact(write)
    return run
