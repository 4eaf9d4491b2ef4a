"""Reads and writes how an attempt ended, as its agent tells it and as the object `result` keeps it.

What comes from a Pod is not believed to make sense before it was looked at here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipelines.states import Cause, Outcome
from runner.executors.base import Result

_RESULT = TypeAdapter(Result)


@dataclass(frozen=True, kw_only=True)
class Told:
    """An end as it was told: `log` is the size of the stored log in bytes, None if not said.

    If not `whole`, something was left out that is in the object `result`. If not `confirmed`, the
    step's container was killed around the step, and Kubernetes may know why.
    """

    result: Result
    log: int | None = None
    whole: bool = True
    confirmed: bool = True


def read(told: bytes | str | Mapping[str, Any]) -> Told:
    """Return what JSON tells of an end; raise `ValueError` if it tells no end."""
    record = told if isinstance(told, Mapping) else json.loads(told)
    if not isinstance(record, Mapping):
        message = "the end of the attempt is no JSON object"
        raise ValueError(message)  # noqa: TRY004 - what comes from a Pod has one kind of error
    try:
        result = _RESULT.validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = f"the end of the attempt makes no sense: {place}: {first['msg']}"
        raise ValueError(message) from None
    log = record.get("log")
    size = log if isinstance(log, int) and log >= 0 else None
    return Told(
        result=result,
        log=size,
        whole=record.get("whole") is not False,
        confirmed=record.get("unconfirmed") is not True,
    )


def write(result: Result, log: int | None) -> bytes:
    """Return an end as the object `result` keeps it."""
    record = _RESULT.dump_python(result, mode="json")
    return json.dumps(record if log is None else {**record, "log": log}).encode()


def never_began(message: str, at: float, *, cause: Cause = Cause.CANCELLED) -> Result:
    """Return the end of an attempt whose command never ran: cancelled, or failed for a cause."""
    outcome = Outcome.CANCELLED if cause is Cause.CANCELLED else Outcome.ERROR
    return Result(outcome=outcome, cause=cause, message=message, started=False, ended_at=at)


def lost(message: str, at: float, started_at: float | None, *, stopped: bool = False) -> Result:
    """Return the end of an attempt that may have run, and of which no result is left."""
    return Result(
        outcome=Outcome.CANCELLED if stopped else Outcome.ERROR,
        cause=Cause.CANCELLED if stopped else Cause.LOST,
        message=f"stopped; {message}" if stopped else message,
        started_at=started_at,
        ended_at=at,
    )
