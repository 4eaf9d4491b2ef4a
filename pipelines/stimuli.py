"""What a run's machine can be told: the events of its journal, each with the time it happened.

Times are seconds since the epoch. The journal stores them as JSON through `to_record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from pipelines.states import Cause, Outcome


@dataclass(frozen=True, kw_only=True)
class Began:
    """The run begins; `source` is the digest of the first snapshot."""

    kind: ClassVar[str] = "began"

    at: float
    source: str


@dataclass(frozen=True, kw_only=True)
class StepWaiting:
    """An attempt was handed over but cannot run yet; `message` says what it waits for."""

    kind: ClassVar[str] = "waiting"

    at: float
    step: str
    attempt: int
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """The command of an attempt runs."""

    kind: ClassVar[str] = "started"

    at: float
    step: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class StepEnded:
    """An attempt came to its end; `ran` says whether its command may have run at all."""

    kind: ClassVar[str] = "ended"

    at: float
    step: str
    attempt: int
    outcome: Outcome
    cause: Cause = Cause.NONE
    exit_code: int | None = None
    message: str = ""
    ran: bool = True
    started_at: float | None = None
    snapshot: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CancelAsked:
    """Somebody wants the run to end; once `finally` steps run, those too."""

    kind: ClassVar[str] = "cancel"

    at: float
    by: str = ""


class RerunMode(StrEnum):
    """Which steps of an ended run are run again."""

    ALL = "all"
    FAILED = "failed"
    FROM = "from"


@dataclass(frozen=True, kw_only=True)
class RerunAsked:
    """Somebody wants an ended run to run again: all of it, or some steps and what follows from them.

    Those are the ones that failed or, with the mode FROM, `step`: a name of the plan or the file.
    """

    kind: ClassVar[str] = "rerun"

    at: float
    mode: RerunMode
    step: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class TimePassed:
    """Nothing happened until `at`, which is what somebody waited for."""

    kind: ClassVar[str] = "time"

    at: float


Stimulus: TypeAlias = (
    Began | StepWaiting | StepStarted | StepEnded | CancelAsked | RerunAsked | TimePassed
)

_KINDS: dict[str, type[Stimulus]] = {
    kind.kind: kind
    for kind in (Began, StepWaiting, StepStarted, StepEnded, CancelAsked, RerunAsked, TimePassed)
}


def to_record(stimulus: Stimulus) -> dict[str, Any]:
    """Return a stimulus as plain JSON values, its kind under `kind`."""
    return {"kind": stimulus.kind, **asdict(stimulus)}


def from_record(record: Mapping[str, Any]) -> Stimulus:
    """Return the stimulus that `to_record` wrote; keys it does not know are passed over."""
    kind = _KINDS[record["kind"]]
    names = {field.name for field in fields(kind)}
    values = {name: value for name, value in record.items() if name in names}
    return kind(**{name: _typed(name, value) for name, value in values.items()})


def _typed(name: str, value: Any) -> Any:
    match name:
        case "outcome":
            return Outcome(value)
        case "cause":
            return Cause(value)
        case "mode":
            return RerunMode(value)
        case "artifacts" | "warnings":
            return tuple(value)
        case _:
            return value
