"""A running instance: what it needs is opened, engine and reporter are started, HTTP is served."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn
from sqlalchemy import Connection
from starlette.applications import Starlette

from pipelines import planning
from pipelines.documents import Limits as FileLimits
from runner import serverlog
from runner.api.app import create_app
from runner.clock import Clock, SystemClock
from runner.database import repositories, tokens
from runner.database.connection import Database, open_database
from runner.database.migrations import migrate
from runner.database.repositories import Repository
from runner.engine import Engine
from runner.executors.opening import open_kubernetes, open_local
from runner.feed import Feed
from runner.inbox import DatabaseInbox
from runner.ledger import Ledger
from runner.logs import LogBook
from runner.objects.base import ObjectStore
from runner.objects.opening import open_shared_store, open_store
from runner.pool import ThreadPool
from runner.preparing_git import GitPreparer, Remote
from runner.readiness import Readiness
from runner.replanning import Replanner
from runner.reporter import Destination, Reporter
from runner.retention import expiry
from runner.retention.policy import policy_of
from runner.retention.sweeper import Sweeper
from runner.secrets import Keyring, load_keyring, repository_context
from runner.services import Services
from runner.settings_model import Listen, Settings, url_of
from runner.starting import Starter
from runner.tokens import Scope, Token, mint
from runner.vault_database import DatabaseVault
from runner.workspace.snapshots import Snapshots
from webhooks.forges.base import Target
from webhooks.forges.registry import all_forges
from webhooks.receiver import Receiver

log = logging.getLogger("hookline")

EMBEDDED = "embedded"
"""Who holds the runs of a SQLite database: there is only ever one process at it."""

NOTE_TIMEOUT = 30.0
"""Seconds that one git command may take for a note: shorter than a status may be under way."""

LOCAL_TOKEN = "admin.token"  # noqa: S105 - the name of a file
_LOCAL_TOKEN_NAME = "local command line"  # noqa: S105 - shown in the list of tokens


class AlreadyRunning(Exception):
    """Another process uses this data folder."""

    code = "already-running"

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"another server uses {data}; stop it, or give this one a folder of its own (--data)"
        )


@dataclass(frozen=True)
class Instance:
    """Everything of an instance but its sockets."""

    services: Services
    engine: Engine
    reporter: Reporter
    sweeper: Sweeper
    app: Starlette


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; steps that run then go on, and are taken up at the next start.

    Raises AlreadyRunning, and what opening the stores raises.
    """
    serverlog.set_up(settings)
    with _alone(settings.data), closing(_listening(settings.listen)) as listener:
        settings = _with_port(settings, listener.getsockname()[1])
        with open_instance(settings) as instance, _at_work(instance):
            log.info("hookline serves %s (data in %s)", settings.url, settings.data)
            config = uvicorn.Config(
                instance.app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
            uvicorn.Server(config).run(sockets=[listener])
            log.info("hookline ends; steps that run go on")


class DataUnusable(Exception):
    """A folder that everything is kept in cannot be made or written."""

    code = "data-unusable"

    def __init__(self, name: str, folder: Path, error: OSError) -> None:
        super().__init__(
            f"{name}: {folder} cannot be used: {error.strerror}; "
            "name a folder that this account may write"
        )


class CannotListen(Exception):
    """The address cannot be listened at."""

    code = "cannot-listen"


def _listening(listen: Listen) -> socket.socket:
    """Return a socket that listens; raises CannotListen."""
    try:
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        return socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        message = f"cannot listen at {listen.host}:{listen.port}: {error.strerror}"
        raise CannotListen(f"{message}; choose another listen.host or listen.port") from error


def _with_port(settings: Settings, port: int) -> Settings:
    """Return the settings with the port that was given out, if they left it open."""
    if settings.listen.port:
        return settings
    listen = settings.listen.model_copy(update={"port": port})
    changes: dict[str, object] = {"listen": listen}
    if settings.url == url_of(settings.listen):
        changes["url"] = url_of(listen)
    return settings.model_copy(update=changes)


@contextmanager
def open_instance(settings: Settings) -> Iterator[Instance]:
    """Open an instance whose engine and reporter stand still, and close it in the end."""
    with ExitStack() as stack:
        database = open_database(settings.database_url.get_secret_value())
        stack.callback(database.close)
        migrate(database)
        client = stack.enter_context(
            httpx2.Client(timeout=30.0, follow_redirects=False, headers={"User-Agent": "hookline"})
        )
        yield _assemble(settings, database, client, stack)


def _assemble(
    settings: Settings, database: Database, client: httpx2.Client, stack: ExitStack
) -> Instance:
    clock, readiness = SystemClock(), Readiness()
    keyring = load_keyring(settings)
    if settings.object_folder is not None:
        _usable("object_store", settings.object_folder)
    logs = settings.data / "spool"
    if settings.executor == "kubernetes":
        shared = open_shared_store(settings, readiness.reach)
        objects: ObjectStore = shared
        snapshots, logbook = Snapshots(objects), LogBook(logs, objects)
        executor = open_kubernetes(settings, shared, snapshots, logbook, readiness.reach)
        concurrency, ahead = settings.kubernetes.concurrency, settings.kubernetes.ahead
    else:
        objects = open_store(settings)
        snapshots, logbook = Snapshots(objects), LogBook(logs, objects)
        executor = open_local(settings, logbook)
        concurrency, ahead = settings.local.concurrency, 0
    feed = Feed()
    stack.callback(executor.close)
    pool = ThreadPool(min(concurrency, 16) + 4)
    stack.callback(pool.close)
    preparations = ThreadPool(4)
    stack.callback(preparations.close)
    sources = Sources(settings, database, keyring, snapshots, clock)
    ledger = Ledger(
        database,
        clock,
        _owner(database),
        base_url=settings.url,
        status_context=settings.status_context,
    )
    ledger.let_go()
    reporter = Reporter(database, client, clock, sources.destination)

    def changed(run: str) -> None:
        feed.publish(run)
        reporter.wake()

    engine = Engine(
        ledger=ledger,
        executor=executor,
        preparer=sources.preparer(),
        starter=Starter(snapshots, executor),
        logbook=logbook,
        clock=clock,
        pool=pool,
        preparations=preparations,
        replanner=Replanner(ledger.config, plan_limits(settings)),
        announce=changed,
        capacity=concurrency,
        ahead=ahead,
        vault=DatabaseVault(database, keyring),
    )
    services = Services(
        settings=settings,
        clock=clock,
        database=database,
        keyring=keyring,
        objects=objects,
        snapshots=snapshots,
        logbook=logbook,
        feed=feed,
        wake=engine.wake,
        readiness=readiness,
    )
    inbox = DatabaseInbox(database, keyring, clock, settings, engine.wake)
    receiver = Receiver(inbox, all_forges(), limit=settings.limits.hook_body)
    sweeper = Sweeper(database, objects, settings.data, settings.retention, clock)
    return Instance(services, engine, reporter, sweeper, create_app(services, receiver))


@dataclass(frozen=True)
class Sources:
    """Where repositories come from and where their statuses go, with their tokens opened."""

    settings: Settings
    database: Database
    keyring: Keyring
    snapshots: Snapshots
    clock: Clock

    def preparer(self) -> GitPreparer:
        """Return what prepares runs from the mirrors of this instance."""
        return GitPreparer(
            mirrors=self.settings.data / "mirrors",
            snapshots=self.snapshots,
            remote_of=self.remote,
            previous_of=self.previous_source,
            limits=plan_limits(self.settings),
            file_limits=file_limits(self.settings),
        )

    def remote(self, repository_id: int) -> Remote:
        """Return where a repository is fetched from."""
        repository = self._repository(repository_id)
        return Remote(
            repository.clone_url,
            token=self._token(repository),
            allow_http=repository.clone_url.startswith("http://"),
        )

    def destination(self, repository_id: int) -> Destination:
        """Return where the statuses of a repository go."""
        repository = self._repository(repository_id)
        target = Target(repository.api_url or "", repository.name, self._token(repository) or "")
        return Destination(
            all_forges()[repository.forge],
            target,
            lambda: self.preparer().mirror(repository_id, timeout=NOTE_TIMEOUT),
        )

    def previous_source(self, repository_id: int) -> str | None:
        """Return the first snapshot of the newest run that has one and may still be built upon."""
        repository = self._repository(repository_id)
        policy = policy_of(self.settings.retention, repository.name)
        with self.database.read() as tx:
            return expiry.newest_source(tx, repository, policy, self.clock.now())

    def _repository(self, repository_id: int) -> Repository:
        with self.database.read() as tx:
            repository = repositories.find(tx, repository_id)
        if repository is None:
            message = f"repository {repository_id} was removed"
            raise LookupError(message)
        return repository

    def _token(self, repository: Repository) -> str | None:
        if repository.token is None:
            return None
        return self.keyring.decrypt(repository.token, repository_context(repository.name))


def plan_limits(settings: Settings) -> planning.Limits:
    """Return what the settings say about plans."""
    return planning.Limits(
        timeout=settings.limits.timeout,
        max_timeout=settings.limits.max_timeout,
        waiting_timeout=settings.limits.waiting,
        services=settings.executor != "local",
    )


def file_limits(settings: Settings) -> FileLimits:
    """Return what the settings say about pipeline files."""
    return FileLimits(size=settings.limits.config_file)


@contextmanager
def _at_work(instance: Instance) -> Iterator[None]:
    """Let engine, reporter and sweeper work in threads, and give the local user a token."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=instance.engine.serve, args=(stop,), name="hookline-engine"),
        threading.Thread(target=instance.reporter.serve, args=(stop,), name="hookline-reporter"),
        threading.Thread(target=instance.sweeper.serve, args=(stop,), name="hookline-sweeper"),
    ]
    # A try may last as long as its network lets it, and leaves nothing half done.
    trying = threading.Thread(
        target=instance.services.readiness.serve,
        args=(stop,),
        name="hookline-readiness",
        daemon=True,
    )
    with _local_token(instance.services):
        for thread in (*threads, trying):
            thread.start()
        try:
            yield
        finally:
            stop.set()
            instance.engine.wake()
            instance.reporter.wake()
            for thread in threads:
                thread.join()


@contextmanager
def _local_token(services: Services) -> Iterator[None]:
    """Leave a token in the data folder, so that its owner needs none; revoke it in the end."""
    now = services.clock.now()
    text, token = mint(_LOCAL_TOKEN_NAME, [Scope.ADMIN], now)
    services.database.transact(lambda tx: _replace_local_token(tx, token, now))
    path = services.settings.data / LOCAL_TOKEN
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        ended = services.clock.now()
        services.database.transact(lambda tx: tokens.revoke(tx, token.id, ended))


def _replace_local_token(tx: Connection, token: Token, now: float) -> None:
    for old in tokens.listing(tx):
        if old.name == _LOCAL_TOKEN_NAME:
            tokens.revoke(tx, old.id, now)
    tokens.add(tx, token)


def _owner(database: Database) -> str:
    """Return the name under which this process holds runs."""
    if database.kind == "sqlite":
        return EMBEDDED
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _usable(name: str, folder: Path) -> None:
    """Make a folder if need be, and see whether it can be written; raises DataUnusable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataUnusable(name, folder, error) from error


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep other servers out of a data folder; the system forgets the lock when a process ends."""
    _usable("data", data)
    with open(data / "server.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(data) from error
        yield
