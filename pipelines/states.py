"""The words for how a step or a run stands and why: states, outcomes, causes, statuses."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How a step stands; the second group is terminal."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    BLOCKED = "blocked"

    @property
    def terminal(self) -> bool:
        """Whether a step in this state has ended."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        State.SUCCESS,
        State.FAILURE,
        State.ERROR,
        State.CANCELLED,
        State.SKIPPED,
        State.BLOCKED,
    }
)


class Outcome(StrEnum):
    """How an attempt that was started came to its end."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why an attempt ended as it did.

    The first group is the step's own doing, the second ours or the machine's.
    """

    NONE = ""
    EXIT_CODE = "exit code"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out of memory"
    TIMEOUT = "timeout"
    OUTPUT = "output"
    COMMAND = "command"

    CONFIG = "config"
    EXPRESSION = "expression"
    IMAGE = "image"
    WORKSPACE = "workspace"
    WAITING = "waiting"
    EVICTED = "evicted"
    NODE_LOST = "node lost"
    LOST = "lost"
    EXECUTOR = "executor"
    STORAGE = "storage"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """How a run stands; the second group is terminal."""

    QUEUED = "queued"
    RUNNING = "running"

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether a run in this status has ended."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)
