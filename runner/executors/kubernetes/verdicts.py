"""Whose doing an end was, where Kubernetes knows more than the agent that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.states import Cause, Outcome
from runner.executors.base import Result
from runner.executors.kubernetes.cases import Case
from runner.executors.kubernetes.records import Told
from runner.kube.podstatus import Known, PodPhase, Reading, read
from runner.kube.waits import Verdict

_ABOVE = frozenset({Cause.OUT_OF_MEMORY, Cause.EVICTED, Cause.NODE_LOST, Cause.TIMEOUT, Cause.LOST})
"""What explains that a container was killed around its step, or its step by others."""

_BY_SIGTERM = 128 + 15
"""What a shell makes of a command that SIGTERM ended."""


def reading(case: Case, pod: Mapping[str, Any] | None, now: float) -> Reading:
    """Return what a case's Pod says, or that it is gone."""
    known = Known(now=now, let_go=case.let_go, stopped=case.stopping)
    return read(pod, known, events=case.events, last=case.last)


def needs_status(case: Case, told: Told) -> bool:
    """Return whether an end is to be looked at beside what Kubernetes says of the Pod.

    So it is if a container was killed around the step, or if agent or step were made to end by
    others than us: whoever deletes a Pod has SIGTERM sent to both, and either may be the first.
    """
    if case.stopping:
        return not told.confirmed
    return (
        not told.confirmed
        or _is_cancelled(told)
        or told.result.exit_code == _BY_SIGTERM
        or (told.result.cause is Cause.SIGNAL and "SIGTERM" in told.result.message)
    )


def blame(result: Result, told: Told, case: Case, says: Reading) -> Result:
    """Return an end as it is with what Kubernetes says beside it."""
    if says.warnings:
        result = replace(result, warnings=(*result.warnings, *says.warnings))
    if not needs_status(case, told):
        return result
    if _is_cancelled(told):
        return _by(result, says.verdict or _gone(case, says))
    verdict = says.verdict
    return _by(result, verdict) if verdict is not None and verdict.cause in _ABOVE else result


def lost(case: Case, says: Reading, now: float) -> Result:
    """Return the end of an attempt of which there is nothing but what Kubernetes says."""
    verdict = says.verdict or _gone(case, says)
    return Result(
        outcome=verdict.outcome,
        cause=verdict.cause,
        exit_code=verdict.exit_code,
        message=verdict.message,
        started=says.may_have_run or case.started_at is not None,
        started_at=case.started_at,
        ended_at=now,
        warnings=says.warnings,
    )


def _is_cancelled(told: Told) -> bool:
    return told.result.outcome is Outcome.CANCELLED


def _gone(case: Case, says: Reading) -> Verdict:
    """Return the verdict that there would be if the Pod were gone by now."""
    if says.phase is not PodPhase.GONE:
        says = reading(case, None, 0.0)
    assert says.verdict is not None  # noqa: S101 - a Pod that is gone has one
    return says.verdict


def _by(result: Result, verdict: Verdict) -> Result:
    return replace(
        result,
        outcome=verdict.outcome,
        cause=verdict.cause,
        message=verdict.message,
        exit_code=verdict.exit_code if result.exit_code is None else result.exit_code,
    )
