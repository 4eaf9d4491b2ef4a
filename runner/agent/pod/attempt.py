"""One attempt in a Pod: restore the workspace, let the launcher run the step, capture, conclude."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.agent import outputs
from runner.agent.conclusion import Conclusion, Left, conclude, trouble, unrestored
from runner.agent.errors import AgentError, CommandError, ContainerLost, LogError
from runner.agent.folder import AgentResult
from runner.agent.loglines import LogWriter
from runner.agent.masking import Masker
from runner.agent.pod.console import Console
from runner.agent.pod.launcher import Launcher, compose
from runner.agent.pod.order import PodOrder
from runner.agent.pod.places import Places
from runner.agent.pod.step import Step
from runner.agent.signals import Signals, Stopped
from runner.agent.verdict import Ending, Verdict, judge
from runner.objects.base import ObjectStore, ObjectStoreError
from runner.workspace.capture import capture
from runner.workspace.errors import WorkspaceError
from runner.workspace.index import Index
from runner.workspace.manifest import Manifest
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots

# A volume with less than this left is full for all that a step could want of it.
_FULL = 1 << 20
_KILLED = Verdict(outcome="failure", cause="signal", message="the step's container was killed")


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, and the size of its log in bytes.

    `unconfirmed` if only the status of the step's container can tell why it was killed.
    """

    result: AgentResult
    log_size: int = 0
    unconfirmed: bool = False


class PodAttempt:
    """An attempt whose order has come; `store` is the object store as far as it may be used."""

    def __init__(
        self,
        places: Places,
        order: PodOrder,
        store: ObjectStore,
        *,
        launcher: Launcher,
        signals: Signals,
        console: Console,
        masker: Masker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places = places
        self._order = order
        self._launcher = launcher
        self._signals = signals
        self._console = console
        self._masker = masker
        self._clock = clock
        self._workspace = Path(places.workspace)
        self._snapshots = Snapshots(store, home=order.home)
        self._started_at: float | None = None
        self._log_size = 0
        self._unconfirmed = False

    def run(self) -> Ended:
        """Return how it ended; raise nothing but what is a fault in the agent."""
        conclusion = self._conclude()
        result = conclusion.result(self._masker, self._started_at, self._clock())
        return Ended(result, self._log_size, self._unconfirmed)

    def _conclude(self) -> Conclusion:
        try:
            with self._signals.interrupting():
                base = self._snapshots.load(self._order.input)
                index = restore(base, self._workspace, Index(), self._snapshots)
                self._launcher.wait()
        except (Stopped, ObjectStoreError, WorkspaceError, OSError) as error:
            return unrestored(error)
        if self._launcher.gone:
            return Conclusion(verdict=self._of_error(ContainerLost()))
        verdict, warnings = self._execute()
        left = self._take(base, index)
        if verdict.outcome != "success":
            warnings += self._fullness()
        return conclude(verdict, left, self._order.artifacts, warnings)

    def _execute(self) -> tuple[Verdict, tuple[str, ...]]:
        """Run the command; return what its end means, and warnings."""
        try:
            log = self._log()
            try:
                with log:
                    ending = self._command(log)
            finally:
                self._log_size = log.size
        except AgentError as error:
            return self._of_error(error), ()
        except OSError as error:
            return trouble(error, "the folders of the Pod cannot be written"), ()
        verdict, warnings = self._judge(ending)
        if log.dropped:
            warnings += (f"the log was cut: {log.dropped} bytes of it were not kept",)
        return verdict, warnings

    def _of_error(self, error: AgentError) -> Verdict:
        match error:
            case CommandError():
                self._started_at = None
                return Verdict(outcome="failure", cause="command", message=str(error))
            case ContainerLost():
                self._started_at = None
                self._unconfirmed = True
                return Verdict(outcome="error", cause="lost", message=str(error))
            case LogError():
                return Verdict(outcome="error", cause="storage", message=str(error))
            case _:
                return Verdict(outcome="error", cause="executor", message=str(error))

    def _judge(self, ending: Ending | None) -> tuple[Verdict, tuple[str, ...]]:
        """Return what the end of the command means, and warnings."""
        if ending is None:
            self._unconfirmed = True
            return _KILLED, ()
        verdict = judge(ending, self._order.timeout, self._order.memory)
        if ending.kills and verdict.cause != "out of memory":
            return verdict, (f"the memory ran out, {ending.kills} processes were killed for it",)
        return verdict, ()

    def _log(self) -> LogWriter:
        return LogWriter(
            Path(self._places.log),
            limit=self._order.log_limit,
            clock=self._clock,
            masker=self._masker,
            sink=self._console.show,
        )

    def _command(self, log: LogWriter) -> Ending | None:
        """Let the command go and wait for its end."""
        order, places = self._order, self._places
        variables = {
            "HOME": places.home,
            **order.environment,
            "CI_OUTPUT": places.output,
            "CI_WORKSPACE": places.workspace,
        }
        told = compose(places.workspace, order.command, variables)
        Path(places.output).write_bytes(b"")
        Path(places.home).mkdir(exist_ok=True)
        with Step(self._launcher, log=log, signals=self._signals, grace=order.grace) as step:
            self._started_at = self._clock()
            self._console.started(self._started_at)
            return step.run(told, order.command[0], order.timeout)

    def _take(self, base: Manifest, index: Index) -> Left:
        """Capture the workspace and read the outputs, whether the step succeeded or not."""
        written = outputs.collect(Path(self._places.output), self._order.outputs)
        written = outputs.withheld(written, self._masker.hides)
        parents = (self._order.input,)
        try:
            captured = capture(self._workspace, base, index, self._snapshots, parents)
        except (ObjectStoreError, WorkspaceError, OSError) as error:
            return Left(written, None, trouble(error, "the workspace cannot be captured"))
        return Left(written, captured)

    def _fullness(self) -> tuple[str, ...]:
        """Return a warning if the step may have failed because there was no room any more."""
        try:
            found = os.statvfs(self._workspace)
        except OSError:
            return ()
        if found.f_bavail * found.f_frsize >= _FULL:
            return ()
        return ("the disk of the workspace is full",)
