"""Takes what was told of an attempt's end for its end: whole, with its log, and its snapshot kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from pipelines.states import Cause, Outcome
from runner.clock import Clock
from runner.executors.base import Result
from runner.executors.kubernetes import records
from runner.executors.kubernetes.cases import Case, Patience
from runner.executors.kubernetes.orders import Orders, home, result_key
from runner.executors.kubernetes.records import Told
from runner.executors.kubernetes.transcripts import Transcripts
from runner.objects.base import ObjectMissing
from runner.workspace.adopting import adopt
from runner.workspace.errors import WorkspaceError

SOON = 0.1

Blame: TypeAlias = Callable[[Result], Result]
"""Returns an end as those know it who see more than the agent does."""


@dataclass(frozen=True)
class Ends:
    """Settles cases. What it returns are the seconds after which to ask again, None if settled.

    Every method may raise `ObjectStoreError`; nothing is settled then.
    """

    orders: Orders
    transcripts: Transcripts
    clock: Clock
    patience: Patience

    def by_told(self, case: Case, told: Told, blame: Blame) -> float | None:
        """Settle a case by what its agent told, after `blame` has looked whose doing it was."""
        result = told.result
        if not told.whole:
            full = self.recorded(case)
            if full is not None:
                result = full.result
            elif self._wait(case, "result", self.patience.log):
                return SOON
            else:
                message = f"its outputs are lost: there is no object {result_key(case.attempt)}"
                result = _spoiled(result, Cause.STORAGE, message)
        before = result
        if not self.transcripts.complete(case.attempt, told.log):
            if self._wait(case, "log", self.patience.log):
                return SOON
            result = replace(result, warnings=(*result.warnings, "a part of its log is lost"))
        result = self._adopted(case, blame(result))
        self.settle(case, result, log=told.log, as_told=result == before)
        return None

    def by_result(self, case: Case, result: Result) -> None:
        """Settle a case by what others than its agent tell; its Pod may have left a log."""
        self.transcripts.complete(case.attempt, None)
        self.settle(case, result)

    def settle(
        self, case: Case, result: Result, *, log: int | None = None, as_told: bool = False
    ) -> None:
        """Keep a result; one that its agent told so needs not be stored before it is believed."""
        case.altered = not as_told and (case.let_go or result.started)
        if case.altered:
            self.orders.objects.put(result_key(case.attempt), records.write(result, log))
        case.stored = not as_told and not case.altered
        case.log = log
        case.result = result

    def recorded(self, case: Case) -> Told | None:
        """Return the end that the object store holds; None if there is none, or it is damaged."""
        try:
            return records.read(self.orders.objects.get(result_key(case.attempt)))
        except ObjectMissing:
            return None
        except ValueError as error:
            return Told(result=self.senseless(case, error))

    def senseless(self, case: Case, error: ValueError) -> Result:
        """Return the end of an attempt whose agent told something that nobody understands."""
        return Result(
            outcome=Outcome.ERROR,
            cause=Cause.EXECUTOR,
            message=str(error),
            started_at=case.started_at,
            ended_at=self.clock.now(),
        )

    def store(self, case: Case) -> None:
        """See to it that the object store holds the result of a settled case, and no other.

        The agent may have stored its own meanwhile.
        """
        if case.stored or case.result is None:
            return
        key = result_key(case.attempt)
        if case.altered or self.orders.objects.size(key) is None:
            self.orders.objects.put(key, records.write(case.result, case.log))
        case.stored = True

    def _adopted(self, case: Case, result: Result) -> Result:
        """Return the result, its snapshot taken into the place of all snapshots."""
        if result.snapshot is None:
            return result
        given = case.order.input if case.order else self.orders.input_of(case.attempt)
        allowed = () if given is None else (given,)
        try:
            adopt(self.orders.snapshots, result.snapshot, home(case.attempt), allowed)
        except WorkspaceError as error:
            message = f"what it left cannot be used: {error}"
            return replace(_spoiled(result, Cause.WORKSPACE, message), snapshot=None, artifacts=())
        return result

    def _wait(self, case: Case, what: str, seconds: float) -> bool:
        return case.waited(what, self.clock.monotonic()) < seconds


def _spoiled(result: Result, cause: Cause, message: str) -> Result:
    """Return a result that cannot be a success any more; what failed before says so still."""
    if result.outcome is not Outcome.SUCCESS:
        return replace(result, warnings=(*result.warnings, message))
    return replace(result, outcome=Outcome.ERROR, cause=cause, message=message)
