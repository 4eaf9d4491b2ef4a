"""Says what the end of a step's command means: outcome, cause and words for people."""

from __future__ import annotations

import signal
from dataclasses import dataclass

TIMEOUT = "timeout"
CANCELLED = "cancelled"


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, or minus the number of the signal that ended it.

    `forced` says who ended it: nobody, its timeout, or whoever stopped the attempt. `kills` counts
    the processes, of it or below it, that were killed because the memory ran out.
    """

    code: int
    forced: str = ""
    kills: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An outcome and its cause, in the words of `pipelines.states`."""

    outcome: str
    cause: str = ""
    exit_code: int | None = None
    message: str = ""


def judge(ending: Ending, timeout: float, memory: int | None = None) -> Verdict:
    """Return what an ending means for a step that was allowed `timeout` seconds.

    `memory` is its limit in bytes, if that is known. A death for want of memory is told as such
    also where a shell or a build tool passed it on as an exit code.
    """
    exit_code = ending.code if ending.code >= 0 else None
    if ending.forced == CANCELLED:
        return Verdict(
            outcome="cancelled", cause="cancelled", exit_code=exit_code, message="stopped"
        )
    if ending.forced == TIMEOUT:
        message = f"ran longer than {duration(timeout)}"
        return Verdict(outcome="failure", cause="timeout", exit_code=exit_code, message=message)
    if ending.kills and ending.code:
        limit = f" (the limit is {_bytes(memory)})" if memory else ""
        message = f"out of memory{limit}"
        return Verdict(
            outcome="failure", cause="out of memory", exit_code=exit_code, message=message
        )
    if ending.code < 0:
        return Verdict(outcome="failure", cause="signal", message=_by_signal(-ending.code))
    if ending.code:
        message = f"exit code {ending.code}"
        return Verdict(outcome="failure", cause="exit code", exit_code=exit_code, message=message)
    return Verdict(outcome="success", exit_code=0)


def duration(seconds: float) -> str:
    """Return seconds as people write them: `45s`, `30m`, `1h30m`, `0.5s`."""
    if seconds < 60 and seconds != int(seconds):
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _bytes(count: int) -> str:
    mebibytes = count / 2**20
    return f"{mebibytes / 1024:.4g} GiB" if mebibytes >= 1024 else f"{mebibytes:.4g} MiB"


def _by_signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"ended by {name}{hint}"
