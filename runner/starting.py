"""Starting an attempt: what its needs left is merged, and the order goes to the executor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.schema import OnConflict
from pipelines.states import Cause, Outcome
from pipelines.stimuli import StepEnded
from runner.executors.base import AttemptId, Executor, ExecutorError, Order
from runner.objects.base import ObjectStoreError
from runner.vault import VaultError
from runner.workspace.errors import WorkspaceError
from runner.workspace.merge import Conflict, merge_snapshots
from runner.workspace.snapshots import Snapshots

log = logging.getLogger("hookline.starting")

_NAMED = 5
"""How many conflicting paths are named before the rest is counted."""


@dataclass(frozen=True)
class Started:
    """The executor has the attempt."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The attempt could not be handed over; its command has not run."""

    outcome: Outcome
    cause: Cause
    message: str

    def ended(self, attempt: AttemptId, at: float) -> StepEnded:
        """Return what the machine is told."""
        return StepEnded(
            at=at,
            step=attempt.step,
            attempt=attempt.number,
            outcome=self.outcome,
            cause=self.cause,
            message=self.message,
            ran=False,
        )


@dataclass(frozen=True)
class Starter:
    """Hands attempts to an executor, each on the merge of what its needs left."""

    snapshots: Snapshots
    executor: Executor

    def start(
        self,
        order: Callable[[str], Order],
        inputs: Sequence[tuple[str, str]],
        on_conflict: OnConflict,
    ) -> Started | Failed:
        """Merge the inputs (whose, digest), make the order for the merged snapshot, start it."""
        try:
            digest, conflicts = merge_snapshots(inputs, self.snapshots)
            if conflicts and on_conflict is OnConflict.FAIL:
                return Failed(Outcome.FAILURE, Cause.WORKSPACE, "; ".join(_told(conflicts)))
            self.executor.start(order(digest))
        except WorkspaceError as error:
            return Failed(Outcome.ERROR, Cause.WORKSPACE, str(error))
        except ObjectStoreError as error:
            return Failed(Outcome.ERROR, Cause.STORAGE, str(error))
        except VaultError as error:
            return Failed(Outcome.ERROR, Cause.CONFIG, str(error))
        except ExecutorError as error:
            return Failed(Outcome.ERROR, Cause.EXECUTOR, str(error))
        except Exception as error:
            log.exception("an attempt could not be started")
            return Failed(Outcome.ERROR, Cause.EXECUTOR, f"internal error: {error}")
        return Started(tuple(_told(conflicts)))


def _told(conflicts: Sequence[Conflict]) -> list[str]:
    """Return a line for each conflict, those beyond the first few counted together."""
    lines = [
        f"`{c.path}` was changed by `{c.earlier}` and by `{c.later}`, which won"
        for c in conflicts[:_NAMED]
    ]
    if len(conflicts) > _NAMED:
        lines.append(f"and {len(conflicts) - _NAMED} more paths were changed by two steps")
    return lines
