"""Whose doing the end of a Pod was: the cluster's, the author's, ours, in that order of asking.

We stopped it; the cluster took it away; its node is lost; it ran out of memory; it ran too long;
somebody deleted it; it could not be started; its own exit code. A Pod that ended well without a
report is never a success.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from pipelines.states import Cause, Outcome
from runner.kube.podends import Case, is_hopeless, is_lost, missed, report
from runner.kube.podfacts import ContainerFacts, State
from runner.kube.waits import Verdict, error

_AGENT_GONE = 125
"""The launcher's exit code when its agent went away."""
_TAKEN = {
    "PreemptionByScheduler": (Cause.EVICTED, "made room for a Pod of higher priority"),
    "EvictionByEvictionAPI": (Cause.EVICTED, "its node is being emptied"),
    "DeletionByTaintManager": (Cause.NODE_LOST, "its node does not answer or is unfit"),
    "DeletionByPodGC": (Cause.NODE_LOST, "its node is gone"),
    "TerminationByKubelet": (Cause.EVICTED, "its node put it out"),
}
_NODE_REASONS = {
    "NodeLost": (Cause.NODE_LOST, "its node does not answer"),
    "NodeShutdown": (Cause.NODE_LOST, "its node was shut down"),
    "Shutdown": (Cause.NODE_LOST, "its node was shut down"),
    "Terminated": (Cause.NODE_LOST, "its node was shut down"),
    "Preempting": (Cause.EVICTED, "made room for a Pod of higher priority"),
    "Preempted": (Cause.EVICTED, "made room for a Pod of higher priority"),
}


def blame(case: Case) -> Verdict:
    """Return what became of a Pod that has come to its end."""
    judges: tuple[Callable[[Case], Verdict | None], ...] = (
        cancelled,
        taken,
        _lost,
        _out_of_memory,
        _too_long,
        _deleted,
        _unstarted,
        _by_its_own,
    )
    return next((found for judge in judges if (found := judge(case))), None) or _unreported(case)


def cancelled(case: Case) -> Verdict | None:
    """Return the verdict if it was us who wanted it to end."""
    if not case.known.stopped:
        return None
    return Verdict(outcome=Outcome.CANCELLED, cause=Cause.CANCELLED, message="stopped")


def taken(case: Case) -> Verdict | None:
    """Return the verdict if the cluster took the Pod away."""
    pod = case.pod
    if pod.reason == "Evicted":
        return _evicted(pod.message)
    if pod.refused:
        return error(Cause.EVICTED, _with("its node would not have it", pod.message))
    if pod.reason in _NODE_REASONS:
        cause, words = _NODE_REASONS[pod.reason]
        return error(cause, _with(words, pod.message))
    target = pod.conditions.get("DisruptionTarget")
    if target is None or not target.holds:
        return None
    cause, words = _TAKEN.get(target.reason, (Cause.EVICTED, "the cluster took it away"))
    return error(cause, _with(words, target.message))


def _evicted(message: str) -> Verdict:
    """Return the verdict for an eviction: its own doing if it went beyond what it may use."""
    if "exceed" in message and not message.startswith("The node was low"):
        return Verdict(
            outcome=Outcome.FAILURE,
            cause=Cause.EVICTED,
            message=_with("used more disk than it may", message),
        )
    return error(Cause.EVICTED, _with("evicted from its node", message))


def _lost(case: Case) -> Verdict | None:
    if case.pod.phase in ("Succeeded", "Failed") or not is_lost(case.pod, case.known.now):
        return None
    return error(Cause.NODE_LOST, "its node does not answer")


def _out_of_memory(case: Case) -> Verdict | None:
    """Return the verdict if somebody needed more memory than there was: the step, if it was it."""
    pod = case.pod
    killed = [each for each in (pod.step, pod.agent) if each.out_of_memory]
    killed += [each for each in pod.services if each.out_of_memory and is_hopeless(case)]
    if not killed:
        return None
    message = memory_words(killed[0])
    if killed[0] is pod.agent:
        return error(_our_fault(case), message)
    return Verdict(
        outcome=Outcome.FAILURE,
        cause=Cause.OUT_OF_MEMORY,
        message=message,
        exit_code=pod.step.exit_code,
    )


def _too_long(case: Case) -> Verdict | None:
    if case.pod.reason != "DeadlineExceeded":
        return None
    message = _with("ran longer than a Pod of its kind may live", case.pod.message)
    return Verdict(outcome=Outcome.FAILURE, cause=Cause.TIMEOUT, message=message)


def _deleted(case: Case) -> Verdict | None:
    if case.pod.deleted_at is None:
        return None
    return error(Cause.LOST, "its Pod was deleted, and not by Hookline")


def _unstarted(case: Case) -> Verdict | None:
    """Return the verdict if a container could not be started, or ended before the step began."""
    agent, step = case.pod.agent, case.pod.step
    if step.never_started and "exec format error" in step.message:
        message = f"the image `{step.image}` is made for another kind of processor than its node's"
        return error(Cause.IMAGE, message)
    if agent.state is State.ENDED and not case.may_have_run:
        return error(Cause.EXECUTOR, _agent_words(agent))
    for service in case.pod.services:
        if not case.may_have_run and missed(service):
            return _of_service(service)
    if step.never_started:
        return error(Cause.EXECUTOR, _with("the step cannot be started", _runtime(step.message)))
    if step.state is State.ENDED and not case.may_have_run:
        return error(Cause.EXECUTOR, f"its launcher ended early, with exit code {step.exit_code}")
    return None


def _of_service(service: ContainerFacts) -> Verdict:
    if service.never_started:
        message = _with(f"{service.who} cannot be started", _runtime(service.message))
    else:
        message = f"{service.who} ended with exit code {service.exit_code} before the step began"
    return Verdict(outcome=Outcome.FAILURE, cause=Cause.COMMAND, message=message)


def _by_its_own(case: Case) -> Verdict | None:
    """Return the verdict that the launcher's exit code tells: the command's, or 128 + signal."""
    code = case.pod.step.exit_code
    if not case.may_have_run or code is None or code in (0, _AGENT_GONE):
        return None
    if code > 128 and (case.pod.agent.exit_code or 0) > 128:
        return error(Cause.LOST, "it was killed together with its agent, and nobody says why")
    told = code > 128
    return Verdict(
        outcome=Outcome.FAILURE,
        cause=Cause.SIGNAL if told else Cause.EXIT_CODE,
        message=f"{_signal(code - 128) if told else f'exit code {code}'}; nothing else is known",
        exit_code=None if told else code,
    )


def _unreported(case: Case) -> Verdict:
    """Return the verdict on what ended without a word: never a success."""
    agent = case.pod.agent
    words = _agent_words(agent) if agent.state is State.ENDED else "its agent told no end"
    if case.pod.step.exit_code == 0:
        words = f"the command ended with exit code 0, but {words}"
    return error(_our_fault(case), words)


def _our_fault(case: Case) -> Cause:
    return Cause.LOST if case.may_have_run else Cause.EXECUTOR


# Words


def _agent_words(agent: ContainerFacts) -> str:
    if agent.never_started:
        return _with(f"Hookline's agent `{agent.image}` cannot be started", _runtime(agent.message))
    words = f"Hookline's agent ended with exit code {agent.exit_code} and without a report"
    return _with(words, "" if report(agent) else agent.message)


def memory_words(container: ContainerFacts) -> str:
    """Return that a container ran out of memory, in words."""
    limit = f" of {container.memory}" if container.memory else ""
    return f"{container.who} needed more memory than its limit{limit}"


def _runtime(message: str) -> str:
    """Return what a container runtime says, without the names of its own layers."""
    return message.rpartition("unable to start container process: ")[2].removesuffix(": unknown")


def _signal(number: int) -> str:
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"


def _with(words: str, message: str) -> str:
    return f"{words}: {message.strip()}" if message.strip() else words
