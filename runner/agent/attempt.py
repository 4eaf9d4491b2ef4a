"""One attempt from beginning to end: restore the workspace, run the command, capture what it left.

Whatever happens, it ends in a result; what went wrong is told apart by whose doing it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.agent import command, outputs, workspaces
from runner.agent.conclusion import Conclusion, Left, conclude, trouble, unrestored
from runner.agent.errors import CommandError, LogError
from runner.agent.folder import AgentOrder, AgentResult, Folder
from runner.agent.loglines import LogWriter
from runner.agent.masking import Masker
from runner.agent.signals import Signals, Stopped
from runner.agent.verdict import Verdict, judge
from runner.agent.workspaces import Workspace
from runner.objects.base import ObjectStoreError
from runner.objects.filesystem import FilesystemStore
from runner.workspace.capture import capture
from runner.workspace.errors import WorkspaceError
from runner.workspace.index import Index
from runner.workspace.manifest import Manifest
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots


class Attempt:
    """An attempt in its folder; `let_go` is called when its command may run.

    `secrets` are variables as `environment` holds them, whose values are masked wherever they would
    be written down: in the log, in messages and warnings. No output may hold one.
    """

    def __init__(
        self,
        folder: Folder,
        order: AgentOrder,
        environment: Mapping[str, str],
        *,
        secrets: Mapping[str, str],
        signals: Signals,
        let_go: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._order = order
        self._environment = {**environment, **secrets}
        self._masker = Masker(secrets.values())
        self._signals = signals
        self._let_go = let_go
        self._clock = clock
        self._snapshots = Snapshots(FilesystemStore(Path(order.objects)))
        self._started_at: float | None = None

    def run(self) -> AgentResult:
        """Return how it ended; raise nothing but what is a fault in the agent."""
        try:
            with self._signals.interrupting():
                base = self._snapshots.load(self._order.input)
            workspace = workspaces.take(
                Path(self._order.workspaces), (self._order.input, *base.parents)
            )
        except (Stopped, ObjectStoreError, WorkspaceError, OSError) as error:
            return self._result(unrestored(error))
        return self._within(workspace, base)

    def _within(self, workspace: Workspace, base: Manifest) -> AgentResult:
        """Restore and run in a workspace, and let go of it whatever happens."""
        agrees: str | None = None
        try:
            with self._signals.interrupting():
                index = self._restore(workspace, base)
            verdict, warnings = self._execute(workspace)
            left = self._take(workspace, base, index)
            agrees = left.captured.digest if left.captured else None
            return self._result(conclude(verdict, left, self._order.artifacts, warnings))
        except (Stopped, ObjectStoreError, WorkspaceError, OSError) as error:
            return self._result(unrestored(error))
        finally:
            workspace.release(agrees)

    def _restore(self, workspace: Workspace, base: Manifest) -> Index:
        workspace.tree.mkdir(exist_ok=True)
        index = Index.load(workspace.index)
        return restore(base, workspace.tree, index, self._snapshots)

    def _execute(self, workspace: Workspace) -> tuple[Verdict, tuple[str, ...]]:
        """Run the command; return what its end means, and warnings."""
        try:
            with self._log() as log:
                verdict = self._command(workspace, log)
        except CommandError as error:
            return Verdict(outcome="failure", cause="command", message=str(error)), ()
        except LogError as error:
            return Verdict(outcome="error", cause="storage", message=str(error)), ()
        except OSError as error:
            return trouble(error, "the folder of the attempt cannot be written"), ()
        cut = f"the log was cut: {log.dropped} bytes of it were not kept"
        return verdict, ((cut,) if log.dropped else ())

    def _log(self) -> LogWriter:
        return LogWriter(
            Path(self._order.log),
            limit=self._order.log_limit,
            clock=self._clock,
            masker=self._masker,
        )

    def _command(self, workspace: Workspace, log: LogWriter) -> Verdict:
        """Let the command go and wait for its end."""
        order, folder = self._order, self._folder
        folder.output.write_bytes(b"")
        started_at = self._clock()
        folder.write_started(started_at)
        self._let_go()
        with command.start(
            order.command,
            directory=workspace.tree,
            environment={
                **self._environment,
                "CI_OUTPUT": str(folder.output),
                "CI_WORKSPACE": str(workspace.tree),
            },
            log=log,
            signals=self._signals,
            grace=order.grace,
        ) as running:
            self._started_at = started_at
            folder.write_group(running.group)
            return judge(running.supervise(order.timeout), order.timeout)

    def _take(self, workspace: Workspace, base: Manifest, index: Index) -> Left:
        """Capture the workspace and read the outputs, whether the step succeeded or not."""
        written = outputs.collect(self._folder.output, self._order.outputs)
        written = outputs.withheld(written, self._masker.hides)
        try:
            captured = capture(
                workspace.tree, base, index, self._snapshots, parents=(self._order.input,)
            )
            captured.index.save(workspace.index)
        except (ObjectStoreError, WorkspaceError, OSError) as error:
            return Left(written, None, trouble(error, "the workspace cannot be captured"))
        return Left(written, captured)

    def _result(self, conclusion: Conclusion) -> AgentResult:
        return conclusion.result(self._masker, self._started_at, self._clock())
