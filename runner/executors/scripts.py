"""What the attempts of the fake executor do, written down by a test before they are started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.states import Cause, Outcome
from runner.executors.base import Artifact, Order, Phase


@dataclass(frozen=True, kw_only=True)
class Script:
    """What an attempt does: it stops at each of `holds` until it is released, then it ends.

    `holds` are WAITING and RUNNING, in this order. `snapshot` is what it leaves (a digest, or
    what makes one of its order); its input if not said.
    """

    outcome: Outcome = Outcome.SUCCESS
    cause: Cause = Cause.NONE
    exit_code: int | None = 0
    message: str = ""
    started: bool = True
    holds: tuple[Phase, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    warnings: tuple[str, ...] = ()
    snapshot: str | Callable[[Order], str] | None = None

    def held(self, *phases: Phase) -> Script:
        """Return the same script, but holding at these phases until it is released."""
        return replace(self, holds=phases)


def succeed(
    outputs: Mapping[str, str] | None = None,
    *,
    snapshot: str | Callable[[Order], str] | None = None,
    artifacts: tuple[Artifact, ...] = (),
) -> Script:
    """Return a script that ends well."""
    return Script(outputs=outputs or {}, snapshot=snapshot, artifacts=artifacts)


def fail(exit_code: int = 1, outputs: Mapping[str, str] | None = None) -> Script:
    """Return a script that fails with an exit code."""
    return Script(
        outcome=Outcome.FAILURE,
        cause=Cause.EXIT_CODE,
        exit_code=exit_code,
        message=f"exit code {exit_code}",
        outputs=outputs or {},
    )


def error(cause: Cause, *, started: bool = False, message: str = "") -> Script:
    """Return a script that ends for a reason that is not the step's, by default before it ran."""
    return Script(
        outcome=Outcome.ERROR,
        cause=cause,
        exit_code=None,
        message=message or f"scripted: {cause}",
        started=started,
    )


def hang() -> Script:
    """Return a script that runs until it is released, which ends it well, or stopped."""
    return Script(holds=(Phase.RUNNING,))
