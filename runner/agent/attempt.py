"""One attempt from beginning to end: restore the workspace, run the command, capture what it left.

Whatever happens, it ends in a result; what went wrong is told apart by whose doing it was.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.agent import command, globs, outputs, workspaces
from runner.agent.errors import CommandError, GlobError, LogError
from runner.agent.folder import AgentOrder, AgentResult, Folder
from runner.agent.loglines import LogWriter
from runner.agent.masking import Masker
from runner.agent.outputs import Outputs
from runner.agent.signals import Signals, Stopped
from runner.agent.verdict import Verdict, judge
from runner.agent.workspaces import Workspace
from runner.objects.base import ObjectStoreError
from runner.objects.filesystem import FilesystemStore
from runner.workspace.capture import Captured, capture
from runner.workspace.errors import WorkspaceError
from runner.workspace.index import Index
from runner.workspace.manifest import Manifest
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class _Left:
    """What a command left for others, as far as it could be taken."""

    outputs: Outputs
    captured: Captured | None
    trouble: Verdict | None


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
            return self._result(_unrestored(error))
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
            return self._conclude(verdict, left, warnings)
        except (Stopped, ObjectStoreError, WorkspaceError, OSError) as error:
            return self._result(_unrestored(error))
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
            return _trouble(error, "the folder of the attempt cannot be written"), ()
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

    def _take(self, workspace: Workspace, base: Manifest, index: Index) -> _Left:
        """Capture the workspace and read the outputs, whether the step succeeded or not."""
        written = outputs.collect(self._folder.output, self._order.outputs)
        written = outputs.withheld(written, self._masker.hides)
        try:
            captured = capture(
                workspace.tree, base, index, self._snapshots, parents=(self._order.input,)
            )
            captured.index.save(workspace.index)
        except (ObjectStoreError, WorkspaceError, OSError) as error:
            return _Left(written, None, _trouble(error, "the workspace cannot be captured"))
        return _Left(written, captured, None)

    def _conclude(self, verdict: Verdict, left: _Left, warnings: tuple[str, ...]) -> AgentResult:
        """Return the result: the step's own failure first, then ours, then its outputs."""
        written, captured, trouble = left.outputs, left.captured, left.trouble
        artifacts, unmatched = self._artifacts(captured)
        more = [written.warning, *unmatched, *(captured.warnings if captured else ())]
        if verdict.outcome == "success":
            verdict = trouble or _of_outputs(written) or verdict
        else:
            more += [written.malformed, trouble.message if trouble else ""]
        return self._result(
            verdict,
            snapshot=captured.digest if captured else None,
            outputs=written.values,
            artifacts=artifacts,
            warnings=(*warnings, *filter(None, more)),
        )

    def _artifacts(
        self, captured: Captured | None
    ) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
        """Return the files that the artifact patterns name, by path, and warnings."""
        if captured is None:
            return (), ()
        files = {entry.path: entry for entry in captured.manifest.files()}
        named: set[str] = set()
        warnings: list[str] = []
        for pattern in self._order.artifacts:
            try:
                glob = globs.parse(pattern)
            except GlobError as error:
                warnings.append(f"artifacts: {error}")
                continue
            matched = {path for path in files if glob.matches(path)}
            if not matched:
                warnings.append(f"artifacts: no file matches the pattern `{pattern}`")
            named |= matched
        found = tuple(
            {"path": path, "size": files[path].size, "digest": files[path].digest}
            for path in sorted(named)
        )
        return found, tuple(warnings)

    def _result(
        self, verdict: Verdict, *, warnings: Iterable[str] = (), **left: Any
    ) -> AgentResult:
        return AgentResult(
            outcome=verdict.outcome,
            cause=verdict.cause,
            exit_code=verdict.exit_code,
            message=self._masker.text(verdict.message),
            started=self._started_at is not None,
            started_at=self._started_at,
            ended_at=self._clock(),
            warnings=tuple(map(self._masker.text, warnings)),
            **left,
        )


def _unrestored(error: BaseException) -> Verdict:
    """Return what it means that a command could not be started for want of its workspace."""
    if isinstance(error, Stopped):
        return Verdict(outcome="cancelled", cause="cancelled", message="stopped before it started")
    return _trouble(error, "the workspace cannot be restored")


def _trouble(error: BaseException, what: str) -> Verdict:
    full = getattr(error, "errno", None) in _FULL
    cause = "storage" if full or isinstance(error, ObjectStoreError) else "workspace"
    return Verdict(outcome="error", cause=cause, message=f"{what}: {error}")


def _of_outputs(written: Outputs) -> Verdict | None:
    message = written.malformed or written.missing
    if not message:
        return None
    return Verdict(outcome="failure", cause="output", exit_code=0, message=message)
