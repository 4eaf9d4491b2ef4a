"""Finds the attempt that an address means: of a run's step by number, or the latest."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from runner.api.errors import NotFound
from runner.database import attempts, steps
from runner.database.attempts import Attempt
from runner.database.steps import Step
from runner.executors.base import AttemptId


@dataclass(frozen=True)
class Found:
    """A step and one attempt at it; `attempt` is None where none has begun."""

    step: Step
    attempt: Attempt | None

    @property
    def id(self) -> AttemptId | None:
        """The attempt's id."""
        if self.attempt is None:
            return None
        return AttemptId(self.step.run_id, self.step.name, self.attempt.number)

    @property
    def ended(self) -> bool:
        """Whether nothing will be added to what the attempt left."""
        if self.attempt is None:
            return self.step.state.terminal
        return self.attempt.ended_at is not None


def find(tx: Connection, run_id: str, name: str, number: int | None) -> Found:
    """Return a step and its attempt of a number, the latest with None; raise `NotFound`."""
    step = steps.find(tx, run_id, name)
    if step is None:
        raise NotFound(f"the run has no step {name[:255]!r}", cure="look at the run's steps")
    known = attempts.of(tx, run_id, name)
    if number is None:
        return Found(step, known[-1] if known else None)
    for attempt in known:
        if attempt.number == number:
            return Found(step, attempt)
    there = ", ".join(str(attempt.number) for attempt in known) or "none"
    message = f"the step {name[:255]!r} has no attempt {number}"
    raise NotFound(message, cure=f"its attempts: {there}")
