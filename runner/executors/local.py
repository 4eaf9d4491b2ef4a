"""Runs attempts as processes of this machine, which go on when Hookline itself ends.

Every attempt has an *agent*, a process in a session of its own that restores the workspace, runs
the command and captures what it left. What is true of an attempt is read off its folder (see
`runner/agent/folder.py`), so any executor over the same root can take it up:

- a result: it has ended;
- the agent's lock is held: it waits, or it runs if its command was let go;
- no result and no lock: it was lost if its command was let go, else it never ran.

Layout: `ROOT/RUN/ATTEMPT/` for the folder of an attempt and `ROOT/RUN/workspaces/NUMBER/tree` for
what steps see. Steps that follow one another find their workspace at the same path.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.agent import __file__ as agent_package
from runner.agent import locks
from runner.agent.folder import AgentOrder, AgentResult, Folder
from runner.agent.loglines import LARGEST_LOG
from runner.executors import endings, host, orphans
from runner.executors.base import (
    ABSENT,
    AttemptId,
    ExecutorError,
    Listener,
    Order,
    Outline,
    Phase,
    Sighting,
)
from runner.executors.removal import remove
from runner.executors.watch import Watch
from runner.logs import LogBook

# No `site`, nothing from the environment, UTF-8 everywhere: quick, and the same on every machine.
INTERPRETER = (sys.executable, "-I", "-S", "-X", "utf8")
_AGENT = str(Path(agent_package).parent / "__main__.py")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LocalExecutor:
    """An executor whose attempts live under `root`, with snapshots in the store at `objects`.

    `pass_environment` names the variables of `environ` that steps see (globs); `margin` is how
    many seconds an agent has, past the step's grace, to capture what a stopped step left before
    it is killed itself; `patience` how many seconds one has that ended its attempt to be gone;
    `log_limit` how many bytes of a log are kept.
    """

    def __init__(
        self,
        root: Path,
        *,
        objects: Path,
        logs: LogBook,
        pass_environment: Sequence[str] = host.PASSED,
        environ: Mapping[str, str] = os.environ,
        interpreter: Sequence[str] = INTERPRETER,
        margin: float = 120.0,
        patience: float = 10.0,
        log_limit: int = LARGEST_LOG,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root.absolute()
        self._objects = objects.absolute()
        self._logs = logs
        self._pass_environment = tuple(pass_environment)
        self._environ = environ
        self._interpreter = tuple(interpreter)
        self._margin = margin
        self._patience = patience
        self._log_limit = log_limit
        self._clock = clock
        self._mutex = threading.RLock()
        self._listeners: list[Listener] = []
        self._watches: dict[AttemptId, Watch] = {}
        self._closed = False

    def listen(self, listener: Listener) -> None:
        """Call `listener` from a thread of the attempt when its command is let go and at its end.

        Also once for each attempt that this executor takes up.
        """
        self._listeners.append(listener)

    def prepare(self, outlines: Sequence[Outline]) -> None:
        """Do nothing: a process starts in no time."""

    def start(self, order: Order) -> None:
        """Start the agent of an attempt, or take up the one that lives.

        Resources ask for nothing here. Services are refused: a plan with any is not made for this
        executor, so it can only be one that was made for another.
        """
        attempt = order.attempt
        if order.services:
            message = f"{attempt} has services: services need the Kubernetes executor"
            raise ExecutorError(message)
        folder = self._folder(attempt)
        process = None
        with self._mutex, _explained(attempt, "started"):
            folder.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.path.mkdir(mode=0o700, exist_ok=True)
            alive = locks.take(folder.alive)
            if alive is not None:
                try:
                    if self._settle(attempt, folder) is None:
                        process = self._launch(order, folder, alive)
                finally:
                    os.close(alive)
            self._watch(attempt, folder, process)

    def stop(self, attempt: AttemptId) -> None:
        """Ask the agent of an attempt to end it; kill the agent if that takes too long."""
        folder = self._folder(attempt)
        with self._mutex, _explained(attempt, "stopped"):
            if not locks.held(folder.alive):
                return
            folder.stop.touch()
            _signal_agent(folder, signal.SIGTERM)
            patience = folder.read_order().grace + self._margin
            watch = self._watch(attempt, folder, None)
            watch.insist(patience, lambda: self._kill_agent(folder))

    def kill(self, attempt: AttemptId) -> None:
        """End an attempt at once, its agent and all that it started; nothing of it is captured."""
        folder = self._folder(attempt)
        with _explained(attempt, "killed"):
            self._kill_agent(folder)
            locks.wait(folder.alive)
            self.look(attempt)

    def look(self, attempt: AttemptId) -> Sighting:
        """Return what is true of an attempt, and watch it if it lives."""
        folder = self._folder(attempt)
        with self._mutex, _explained(attempt, "looked at"):
            if (result := endings.read_result(folder)) is not None:
                return endings.ended(result)
            if locks.held(folder.alive):
                return self._look_at_living(attempt, folder)
            if not folder.path.is_dir():
                return ABSENT
            alive = locks.take(folder.alive)
            if alive is None:
                return self._look_at_living(attempt, folder)
            try:
                result = self._settle(attempt, folder)
            finally:
                os.close(alive)
            return ABSENT if result is None else endings.ended(result)

    def forget(self, run: str, attempts: Iterable[AttemptId]) -> None:
        """Remove the folders of attempts and the idle workspaces of their run.

        An attempt that still lives keeps its folder and its workspace. Raise `ExecutorError` if an
        agent that has ended its attempt does not go.
        """
        home = self._home(run)
        folders = [self._folder(attempt) for attempt in attempts]
        spaces = home / "workspaces"
        with _explained(run, "forgotten"):
            with self._mutex:
                for folder in folders:
                    if folder.path.is_dir():
                        _set_aside(home, folder.path, self._hold(folder))
                for path in [*spaces.iterdir()] if spaces.is_dir() else []:
                    _set_aside(home, path, locks.take(path / "lock"))
            # What steps left may be large: nobody is kept waiting for it.
            for path in [*home.glob(f"{_DOOMED}*")]:
                remove(path)
            for path in (spaces, home):
                with suppress(OSError):
                    path.rmdir()

    def close(self) -> None:
        """Tell nobody anything any more; agents go on, and those that end are still collected."""
        with self._mutex:
            self._closed = True
            for watch in self._watches.values():
                watch.relent()

    def _home(self, run: str) -> Path:
        if not _RUN.fullmatch(run):
            message = f"{run!r} cannot name the folder of a run: letters, digits, '.', '_', '-'"
            raise ExecutorError(message)
        return self._root / run

    def _folder(self, attempt: AttemptId) -> Folder:
        return Folder(self._home(attempt.run) / attempt.name)

    def _launch(self, order: Order, folder: Folder, alive: int) -> subprocess.Popen[bytes]:
        """Start an agent that inherits the lock `alive`, so that it is held at every moment."""
        folder.write_order(self._agent_order(order))
        folder.stop.unlink(missing_ok=True)
        os.ftruncate(alive, 0)
        waiting = locks.obtain(folder.waiting)
        hearing, telling = os.pipe()
        try:
            with open(folder.complaints, "ab") as complaints:
                # S603: the words are this module's own.
                process = subprocess.Popen(  # noqa: S603
                    [
                        *self._interpreter,
                        *(_AGENT, str(folder.path), str(alive), str(waiting)),
                        *host.packages(),
                    ],
                    cwd="/",
                    env=host.for_agent(self._environ),
                    stdin=hearing,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    start_new_session=True,
                    pass_fds=(alive, waiting),
                )
        except OSError:
            os.close(telling)
            raise
        finally:
            os.close(waiting)
            os.close(hearing)
        self._hand_over(telling, order)
        return process

    def _hand_over(self, pipe: int, order: Order) -> None:
        """Give the agent the environment and secrets of its step, which must not lie on the disk."""
        passed = host.passed(self._environ, self._pass_environment)
        handed = {"environment": {**passed, **order.environment}, "secrets": {**order.secrets}}
        # An agent that died at once leaves nobody to read; its lock tells that better.
        with suppress(BrokenPipeError), open(pipe, "w", encoding="utf-8") as file:
            json.dump(handed, file)

    def _agent_order(self, order: Order) -> AgentOrder:
        return AgentOrder(
            name=order.attempt.name,
            command=order.command,
            input=order.input,
            outputs=order.outputs,
            artifacts=order.artifacts,
            timeout=order.timeout,
            grace=order.grace,
            objects=str(self._objects),
            workspaces=str(self._home(order.attempt.run) / "workspaces"),
            log=str(self._logs.spool(order.attempt).absolute()),
            log_limit=self._log_limit,
        )

    def _look_at_living(self, attempt: AttemptId, folder: Folder) -> Sighting:
        self._watch(attempt, folder, None)
        started_at = folder.read_started()
        phase = Phase.WAITING if started_at is None else Phase.RUNNING
        return Sighting(phase=phase, started_at=started_at)

    def _settle(self, attempt: AttemptId, folder: Folder) -> AgentResult | None:
        """Return how an attempt without an agent ended, None if it never ran.

        The caller holds its lock. If the agent left no result, what it ran is killed and the
        result is put down in its stead, once and for all.
        """
        if (result := endings.read_result(folder)) is not None:
            return result
        started_at, stopped = folder.read_started(), folder.stop.exists()
        if started_at is None and not stopped:
            return None
        # Process ids come round, so a group is only trusted if this executor saw the agent alive.
        group = folder.read_group() if attempt in self._watches else None
        orphans.kill(f"CI_OUTPUT={folder.output}", group)
        result = endings.lost(started_at, stopped, self._clock())
        folder.write_result(result)
        return result

    def _watch(
        self, attempt: AttemptId, folder: Folder, process: subprocess.Popen[bytes] | None
    ) -> Watch:
        """Return the watch of an attempt; there is one at most, but a new agent gets a new one."""
        watch = self._watches.get(attempt)
        if watch is None or process is not None:
            watch = Watch(
                folder,
                news=lambda: self._tell(attempt),
                settle=lambda watch: self._after_end(attempt, watch),
                process=process,
            )
            self._watches[attempt] = watch
            watch.begin()
        return watch

    def _after_end(self, attempt: AttemptId, watch: Watch) -> None:
        """Settle what an agent left without a result, and drop its watch."""
        with self._mutex:
            try:
                if not self._closed:
                    self.look(attempt)
            finally:
                if self._watches.get(attempt) is watch:
                    del self._watches[attempt]

    def _tell(self, attempt: AttemptId) -> None:
        if not self._closed:
            for listener in tuple(self._listeners):
                listener(attempt)

    def _hold(self, folder: Folder) -> int | None:
        """Return the lock of an attempt that has ended, or never ran; None if it lives.

        An agent puts its result down and then lets go, so it may hold the lock for a moment after
        the end was seen. Raise `TimeoutError` if that moment does not end.
        """
        ended = endings.read_result(folder) is not None
        held = locks.take(folder.alive, self._patience if ended else 0.0)
        if held is None and ended:
            message = f"the agent in {folder.path} has ended its attempt and does not go"
            raise TimeoutError(message)
        return held

    def _kill_agent(self, folder: Folder) -> None:
        """Kill an agent that did not end when asked; what it ran is killed when that is seen."""
        if locks.held(folder.alive):
            _signal_agent(folder, signal.SIGKILL)


@contextmanager
def _explained(what: AttemptId | str, verb: str) -> Iterator[None]:
    """Raise what the machine refuses, or a damaged file, as an `ExecutorError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        message = f"{what} cannot be {verb} on this machine: {error}"
        raise ExecutorError(message) from error


def _signal_agent(folder: Folder, number: signal.Signals) -> None:
    """Signal a living agent; one that has not told its id yet will find the `stop` file."""
    process = folder.read_pid()
    if process is not None:
        with suppress(ProcessLookupError):
            os.kill(process, number)


_DOOMED = ".doomed-"


def _set_aside(home: Path, path: Path, held: int | None) -> None:
    """Take a folder away under another name if its lock is `held`, and let go of that."""
    if held is not None:
        try:
            path.rename(home / f"{_DOOMED}{path.name}-{time.monotonic_ns()}")
        finally:
            os.close(held)
