"""What is to be done next for an attempt: one pure function of what is true of it now.

Nothing here depends on what happened before, so it does not matter which message told it, nor
whether the server has been restarted in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.executors.kubernetes.views import PodView
from runner.kube.podfacts import State


class Move(StrEnum):
    """One thing to do for an attempt."""

    REST = "rest"
    """Wait for news."""
    MAKE = "make"
    """Create Secret and Pod."""
    LET_GO = "let go"
    """Write the order, and tell the Pod that waits for it."""
    NOTE = "note"
    """Put down in the object store that a Pod was let go, and whether it was asked to end."""
    FOLLOW = "follow"
    """Listen to the agent's log."""
    ASK_TO_STOP = "ask to stop"
    """Tell the agent to end the step."""
    DISMISS = "dismiss"
    """Delete a Pod whose agent has done nothing yet."""
    KILL = "kill"
    """Delete a Pod that did not end when it was asked to."""
    CANCEL = "cancel"
    """Take it for cancelled before it began."""
    BELIEVE_LINE = "believe the line"
    BELIEVE_MESSAGE = "believe the message"
    BELIEVE_STATUS = "believe the status"
    """Take for its end what the agent's log, its termination message, or Kubernetes tells."""
    RECALL = "recall"
    """There is no Pod: see what the object store knows of it."""
    DROP = "drop"
    """Nothing is wanted of it any more, and nothing is left of it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of an attempt.

    `wanted`: its order was given. `offered`: it is to be made ready. `withdrawn`: it was offered,
    and is not any more. `crowded`: there is no room for what is only offered. `stopping`: it is to
    end; `overdue`: it should have ended by now. `let_go`: a Pod of it may begin. `noted`: what the
    next server has to know is put down. `unexplained`: others were about it before, and what came of it is not known.
    `line`: its end was heard; `confirmed`: nothing more is to be learnt of that end. `reported`:
    its termination message tells the end; `judged`: the Pod's status does. `following`, `asked`:
    what was done already.
    """

    pod: PodView | None = None
    wanted: bool = False
    offered: bool = False
    withdrawn: bool = False
    crowded: bool = False
    stopping: bool = False
    overdue: bool = False
    let_go: bool = False
    noted: bool = False
    unexplained: bool = False
    line: bool = False
    confirmed: bool = True
    reported: bool = False
    judged: bool = False
    following: bool = False
    asked: bool = False


def next_move(facts: Facts) -> Move:
    """Return what is to be done next."""
    if facts.line:
        return Move.BELIEVE_LINE if facts.confirmed else Move.REST
    if facts.pod is None:
        return _without_pod(facts)
    if facts.let_go:
        return _after_go(facts, facts.pod)
    return _before_go(facts, facts.pod)


def _without_pod(facts: Facts) -> Move:
    if facts.let_go or facts.unexplained:
        return Move.RECALL
    if facts.wanted:
        return Move.CANCEL if facts.stopping else Move.MAKE
    if facts.offered:
        return Move.REST if facts.crowded else Move.MAKE
    return Move.DROP


def _before_go(facts: Facts, pod: PodView) -> Move:
    """Return the move for a Pod whose agent waits for its order."""
    if pod.leaving:
        return Move.CANCEL if facts.stopping and facts.wanted else Move.REST
    if facts.stopping or facts.withdrawn:
        return Move.DISMISS
    if facts.unexplained:
        return Move.RECALL
    if facts.wanted:
        if facts.judged:
            return Move.BELIEVE_STATUS
        return Move.REST if pod.unready else Move.LET_GO
    if facts.offered and (facts.crowded or facts.judged or pod.unschedulable):
        return Move.DISMISS
    return Move.REST if facts.offered else Move.DROP


def _after_go(facts: Facts, pod: PodView) -> Move:
    """Return the move for a Pod whose step may run or have run."""
    runs = pod.facts.agent.state is State.RUNNING
    if facts.reported:
        return Move.BELIEVE_MESSAGE
    if facts.judged:
        return Move.BELIEVE_STATUS
    if facts.overdue:
        return Move.KILL
    if runs and not facts.following:
        return Move.FOLLOW
    if facts.stopping and not facts.asked and not pod.leaving:
        return Move.ASK_TO_STOP if runs else Move.DISMISS
    return Move.REST if facts.noted else Move.NOTE
