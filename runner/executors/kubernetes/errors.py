"""What the executor of Pods cannot do, one tree below `ExecutorError`.

ExecutorError
├── Occupied   the name of a Pod is taken by one that is not ours
└── NotSeen    nobody knows yet how an attempt stands
"""

from __future__ import annotations

from runner.executors.base import AttemptId, ExecutorError


class Occupied(ExecutorError):
    """The name of a Pod is taken by one that is not ours."""

    code = "executor-occupied"

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"there is a Pod {name} in namespace {namespace} that is not this instance's; "
            "give each instance its own kubernetes.instance or kubernetes.namespace"
        )


class NotSeen(ExecutorError):
    """Nobody knows yet how an attempt stands; it can be asked again."""

    code = "executor-not-seen"

    def __init__(self, attempt: AttemptId, why: str) -> None:
        super().__init__(f"{attempt} of run {attempt.run} cannot be seen now: {why}")
