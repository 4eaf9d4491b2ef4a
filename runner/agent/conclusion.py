"""What an attempt comes to: of all that went well and wrong, what is told as its end.

The step's own failure comes first, then ours, then what is wrong with its outputs; what is not
told as the end is told as a warning.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.agent import globs
from runner.agent.errors import GlobError
from runner.agent.folder import AgentResult
from runner.agent.masking import Masker
from runner.agent.outputs import Outputs
from runner.agent.signals import Stopped
from runner.agent.verdict import Verdict
from runner.objects.base import ObjectStoreError
from runner.workspace.capture import Captured

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Left:
    """What a command left for others, as far as it could be taken."""

    outputs: Outputs
    captured: Captured | None
    trouble: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What an attempt came to, before what is secret in it is masked."""

    verdict: Verdict
    snapshot: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()

    def result(self, masker: Masker, started_at: float | None, ended_at: float) -> AgentResult:
        """Return it as the agent tells it; `started_at` is None for a command that never was."""
        return AgentResult(
            outcome=self.verdict.outcome,
            cause=self.verdict.cause,
            exit_code=self.verdict.exit_code,
            message=masker.text(self.verdict.message),
            started=started_at is not None,
            started_at=started_at,
            ended_at=ended_at,
            snapshot=self.snapshot,
            outputs=dict(self.outputs),
            artifacts=self.artifacts,
            warnings=tuple(map(masker.text, self.warnings)),
        )


def conclude(
    verdict: Verdict, left: Left, patterns: Sequence[str], warnings: Sequence[str] = ()
) -> Conclusion:
    """Return what an attempt came to whose command ran; `patterns` name its artifacts."""
    written, captured, trouble = left.outputs, left.captured, left.trouble
    artifacts, unmatched = _artifacts(captured, patterns)
    more = [written.warning, *unmatched, *(captured.warnings if captured else ())]
    if verdict.outcome == "success":
        verdict = trouble or _of_outputs(written) or verdict
    else:
        more += [written.malformed, trouble.message if trouble else ""]
    return Conclusion(
        verdict=verdict,
        snapshot=captured.digest if captured else None,
        outputs=written.values,
        artifacts=artifacts,
        warnings=(*warnings, *filter(None, more)),
    )


def unrestored(error: BaseException) -> Conclusion:
    """Return what it means that a command could not be started for want of its workspace."""
    if isinstance(error, Stopped):
        message = "stopped before it started"
        return Conclusion(verdict=Verdict(outcome="cancelled", cause="cancelled", message=message))
    return Conclusion(verdict=trouble(error, "the workspace cannot be restored"))


def trouble(error: BaseException, what: str) -> Verdict:
    """Return what it means that the machine or the store failed, told as `what`."""
    full = getattr(error, "errno", None) in _FULL
    cause = "storage" if full or isinstance(error, ObjectStoreError) else "workspace"
    return Verdict(outcome="error", cause=cause, message=f"{what}: {error}")


def _artifacts(
    captured: Captured | None, patterns: Sequence[str]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return the files that the artifact patterns name, by path, and warnings."""
    if captured is None:
        return (), ()
    files = {entry.path: entry for entry in captured.manifest.files()}
    named: set[str] = set()
    warnings: list[str] = []
    for pattern in patterns:
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


def _of_outputs(written: Outputs) -> Verdict | None:
    message = written.malformed or written.missing
    if not message:
        return None
    return Verdict(outcome="failure", cause="output", exit_code=0, message=message)
