"""What the executor remembers of the attempts it looks after.

All of it can be had again from Pods and objects: a case is a memory, never the truth.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.executors.base import ABSENT, AttemptId, Order, Outline, Phase, Result, Sighting
from runner.executors.kubernetes.hearing import Hearing
from runner.kube.podspec import pod_name


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How many seconds the executor waits for what."""

    look: float = 3.0
    """For the first look at an attempt that it does not know."""
    words: float = 1.0
    """For an agent that others let go to say whether its step runs."""
    confirm: float = 5.0
    """For Kubernetes to say why a container was killed."""
    log: float = 10.0
    """For the stored log, if lines are missing."""
    linger: float = 5.0
    """For an agent that has told the end, before its Pod is deleted."""
    leave: float = 30.0
    """For a Pod that was deleted, before it is deleted by force."""
    crowded: float = 30.0
    """Before something is made ready again, after there was no room."""
    again: float = 1.0
    """Between tries of what does not work now; it grows."""
    longest: float = 20.0
    """Between tries, at most."""
    deaf: float = 10.0
    """Before a step is taken to run though its start could not be heard."""
    margin: float = 120.0
    """Beyond its grace, for an attempt that was asked to end."""
    visit: float = 5.0
    """Between two looks at a Pod of which there is no news."""
    events: float = 10.0
    """Between two requests for the events about a Pod."""


@dataclass(eq=False)
class Case:
    """One attempt: what is wanted of it, what was done about it, what became of it.

    `name` is that of its Pod and its Secret.
    Only whoever holds `lock` does something about it; anybody may read. Times are monotonic.

    `last` is the Pod as it was last seen; `dismissed` the uid of one that is being deleted.
    `ordered`: this process wrote its order. `found`: somebody else had; `recalled`: and it was
    looked for what came of it. `since` is when it was first waited for what. `runs_since` is when
    its container was started, where nothing else is known.
    """

    attempt: AttemptId
    name: str = field(init=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    known: threading.Event = field(default_factory=threading.Event, repr=False)
    forgotten: bool = False

    order: Order | None = None
    offered: Outline | None = None
    withdrawn: bool = False
    stopping: bool = False
    stop_by: float | None = None

    last: Mapping[str, Any] | None = None
    ordered: bool = False
    found: bool = False
    recalled: bool = False
    let_go: bool = False
    begun_noted: bool = False
    stop_noted: bool = False
    asked: bool = False
    dismissed: str = ""
    hearing: Hearing | None = None

    events: Sequence[Mapping[str, Any]] | None = None
    waiting_for: str = ""
    runs_since: float | None = None
    trouble: str = ""
    trouble_code: str = ""
    tries: int = 0
    since: dict[str, float] = field(default_factory=dict)
    result: Result | None = None
    told: Sighting = ABSENT

    log: int | None = None
    altered: bool = False
    kept: bool = False
    stored: bool = False
    cleared: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        """Name its Pod and its Secret."""
        self.name = pod_name(self.attempt)

    @property
    def started_at(self) -> float | None:
        """When its command was let go, as far as that was heard."""
        return self.hearing.started_at if self.hearing else None

    def waited(self, for_what: str, now: float) -> float:
        """Return the seconds since it was first waited for something."""
        return now - self.since.setdefault(for_what, now)

    @property
    def noted(self) -> bool:
        """Whether it is put down that it was let go, and asked to end if it was."""
        return self.begun_noted and (self.stop_noted or not self.asked)

    @property
    def unexplained(self) -> bool:
        """Whether others may have been about it, and nobody has looked yet what came of that."""
        asked_about = self.order is None and self.offered is None and not self.withdrawn
        return not self.recalled and (self.found or asked_about)

    def sighting(self) -> Sighting:
        """Return what a look at it shows."""
        result = self.result
        if result is not None:
            return Sighting(phase=Phase.ENDED, started_at=result.started_at, result=result)
        if self.order is None and not self.let_go:
            return ABSENT
        started_at = self.runs_since if self.started_at is None else self.started_at
        if started_at is not None:
            return Sighting(phase=Phase.RUNNING, started_at=started_at)
        return Sighting(phase=Phase.WAITING, message=self.trouble or self.waiting_for)
