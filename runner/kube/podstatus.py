"""What a Pod says of its attempt: whether it waits, runs or has ended, how, and whose doing it was.

One pure function. What it says of the end holds only where the agent has not told it: an agent's
report, on its log or in its termination message, comes first. A Pod that is gone is no success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pipelines.states import Cause
from runner.kube import waits
from runner.kube.blame import blame, cancelled, memory_words, taken
from runner.kube.podends import Case, Known, case_of, is_hopeless, is_lost, is_over, report
from runner.kube.podfacts import PodFacts, State, event_facts, pod_facts
from runner.kube.waits import Verdict, Wait, error

__all__ = ["Known", "PodPhase", "Reading", "Verdict", "read"]


class PodPhase(StrEnum):
    """Where a Pod is, as far as its attempt is concerned."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a Pod says.

    `verdict` is there exactly if the phase is ended or gone, and holds where no agent reports; the
    Pod may still be there, and is to be deleted. `message` says what it waits for or what happens,
    `report` is the agent's termination message, JSON. `exit_code` is the step container's,
    `running_since` when its launcher was started. `warnings` is what happened on the side. `asks_events`: with
    events more could be said.
    """

    phase: PodPhase
    message: str = ""
    verdict: Verdict | None = None
    may_have_run: bool = False
    report: str = ""
    exit_code: int | None = None
    running_since: float | None = None
    warnings: tuple[str, ...] = ()
    asks_events: bool = False


def read(
    pod: Mapping[str, Any] | None,
    known: Known,
    *,
    events: Sequence[Mapping[str, Any]] | None = None,
    last: Mapping[str, Any] | None = None,
) -> Reading:
    """Return what a Pod says, or with None its absence; `last` is how it was last seen then.

    `events` are those about it, None if nobody asked for them.
    """
    if pod is None:
        return _gone(known, last)
    facts = pod_facts(pod)
    case = case_of(facts, known)
    wait = waits.why(facts, None if events is None else event_facts(events), known.now)
    reading = Reading(
        phase=PodPhase.RUNNING,
        may_have_run=case.may_have_run,
        report=report(facts.agent),
        exit_code=facts.step.exit_code,
        running_since=facts.step.started_at,
        warnings=_warnings(facts),
        asks_events=wait is not None and wait.asks_events,
    )
    if is_over(case) or is_lost(facts, known.now) or is_hopeless(case):
        return _ended(reading, blame(case))
    return _going(case, reading, wait)


def _going(case: Case, reading: Reading, wait: Wait | None) -> Reading:
    """Return the reading of a Pod that has not ended, unless it waits in vain or for too long."""
    if case.pod.deleted_at is not None:
        message = "is being stopped" if case.known.stopped else "is being deleted"
        return replace(reading, message=message)
    if wait is None and not case.may_have_run:
        wait = waits.unready(case.pod)
    if wait is None:
        return reading
    verdict = wait.verdict
    if verdict is None and case.known.waiting is not None and case.pod.created_at is not None:
        waited = case.known.now - case.pod.created_at
        verdict = waits.overdue(wait, waited, case.known.waiting)
    if verdict is not None:
        return _ended(reading, cancelled(case) or verdict)
    return replace(reading, phase=PodPhase.WAITING, message=wait.message)


def _ended(reading: Reading, verdict: Verdict) -> Reading:
    return replace(reading, phase=PodPhase.ENDED, verdict=verdict, message=verdict.message)


def _gone(known: Known, last: Mapping[str, Any] | None) -> Reading:
    """Return the reading for no Pod."""
    facts = pod_facts(last or {})
    case = case_of(facts, known, gone=True)
    seen_over = last is not None and is_over(case)
    verdict = blame(case) if seen_over else cancelled(case) or taken(case)
    if verdict is None:
        known_before = "was deleted, and not by Hookline"
        unknown = "is gone, and nothing says how it ended"
        verdict = error(Cause.LOST, f"its Pod {known_before if last else unknown}")
    return Reading(
        phase=PodPhase.GONE,
        verdict=verdict,
        message=verdict.message,
        may_have_run=case.may_have_run if last else known.let_go,
        report=report(facts.agent),
        exit_code=facts.step.exit_code,
        running_since=facts.step.started_at,
        warnings=_warnings(facts),
    )


def _warnings(pod: PodFacts) -> tuple[str, ...]:
    """Return what became of services while the step ran."""
    return tuple(
        memory_words(each)
        if each.out_of_memory
        else f"{each.who} ended with exit code {each.exit_code}"
        for each in pod.services
        if each.state is State.ENDED and (each.exit_code or each.out_of_memory)
    )
