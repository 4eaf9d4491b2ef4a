"""How attempts ended, as their folders tell it and as the engine sees it."""

from __future__ import annotations

from dataclasses import asdict

from pipelines.states import Cause, Outcome
from runner.agent.folder import AgentResult, Folder
from runner.executors.base import Artifact, Phase, Result, Sighting


def read_result(folder: Folder) -> AgentResult | None:
    """Return the result of an attempt; one that a broken disk left unreadable is an error."""
    try:
        return folder.read_result()
    except ValueError as error:
        return AgentResult(
            outcome=Outcome.ERROR,
            cause=Cause.EXECUTOR,
            message=f"the result of the attempt is damaged: {error}",
            started=True,
            ended_at=folder.path.stat().st_mtime,
        )


def lost(started_at: float | None, stopped: bool, now: float) -> AgentResult:
    """Return the result of an attempt whose agent left none; it may have been asked to stop."""
    ended = "the agent ended without a result: killed, or the machine restarted"
    return AgentResult(
        outcome=Outcome.CANCELLED if stopped else Outcome.ERROR,
        cause=Cause.CANCELLED if stopped else Cause.LOST,
        message=f"stopped; {ended}" if stopped else ended,
        started=started_at is not None,
        started_at=started_at,
        ended_at=now,
    )


def ended(found: AgentResult) -> Sighting:
    """Return an ended attempt as the engine sees it."""
    record = asdict(found)
    record["outcome"] = Outcome(found.outcome)
    record["cause"] = Cause(found.cause)
    record["artifacts"] = tuple(Artifact(**artifact) for artifact in found.artifacts)
    result = Result(**record)
    return Sighting(phase=Phase.ENDED, started_at=result.started_at, result=result)
