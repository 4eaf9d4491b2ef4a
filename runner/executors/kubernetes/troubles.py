"""Says what an error means for an attempt: it is tried again, or this is its end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TypeAlias

from pipelines.states import Cause
from runner.clock import Clock
from runner.executors.base import ExecutorError
from runner.executors.kubernetes import records
from runner.executors.kubernetes.ahead import Room
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.ends import Ends
from runner.kube.errors import (
    AlreadyExists,
    Invalid,
    KubeError,
    PodSecurityRefused,
    QuotaExceeded,
    Unauthorized,
)
from runner.kube.podspec import Refused
from runner.objects.base import ObjectStoreError
from runner.workspace.errors import WorkspaceError

log = logging.getLogger("hookline.kubernetes")

TROUBLES = (KubeError, ObjectStoreError, WorkspaceError, Refused, ExecutorError)
Trouble: TypeAlias = KubeError | ObjectStoreError | WorkspaceError | Refused | ExecutorError


@dataclass(frozen=True)
class Troubles:
    """Takes the errors that moves raise."""

    ends: Ends
    room: Room
    clock: Clock
    patience: Patience

    def take(self, case: Case, error: Trouble) -> float:
        """Settle a case whose Pod will never be, or note what it waits for.

        Return the seconds after which it is to be seen again.
        """
        if isinstance(error, QuotaExceeded) and _passes(error):
            self.room.lacking()
        if not _passes(error) and not case.let_go and case.result is None:
            if case.order is not None:
                ended = records.never_began(str(error), self.clock.now(), cause=_cause(error))
                self.ends.settle(case, ended)
                return 0.0
            log.info("nothing is made ready for %s: %s", case.attempt, error)
            case.offered, case.withdrawn = None, True
        return self._again(case, error)

    def _again(self, case: Case, error: Trouble) -> float:
        """Note what is in the way, in words that stay the same for as long as it does."""
        if case.trouble_code != error.code:
            case.trouble_code, case.trouble = error.code, str(error)
            log.warning("%s of run %s waits: %s", case.attempt, case.attempt.run, error)
        case.tries += 1
        return min(self.patience.again * 2.0 ** min(case.tries - 1, 10), self.patience.longest)

    def none(self, case: Case) -> None:
        """Note that nothing is in the way of a case."""
        case.trouble = case.trouble_code = ""
        case.tries = 0


def _passes(error: Trouble) -> bool:
    """Return whether it may help to try again."""
    if isinstance(error, KubeError):
        return error.passing or isinstance(error, Unauthorized | AlreadyExists)
    return isinstance(error, ObjectStoreError)


def _cause(error: Trouble) -> Cause:
    match error:
        case Refused() | Invalid() | PodSecurityRefused() | QuotaExceeded():
            return Cause.CONFIG
        case WorkspaceError():
            return Cause.WORKSPACE
        case _:
            return Cause.EXECUTOR
