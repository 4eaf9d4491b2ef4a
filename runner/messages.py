"""What the engine's threads and listeners put into its queue: that something happened.

`None` means that the database holds news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pipelines.machine import Want
from runner.executors.base import AttemptId
from runner.preparing import Preparation
from runner.starting import Failed, Started


@dataclass(frozen=True)
class Look:
    """A look at an attempt would show news."""

    attempt: AttemptId


@dataclass(frozen=True)
class WasPrepared:
    """The preparation of a run came to something."""

    run: str
    found: Preparation


@dataclass(frozen=True)
class Acted:
    """The executor was asked for an attempt; `came_to` is None for a stop."""

    attempt: AttemptId
    want: Want
    came_to: Started | Failed | None


@dataclass(frozen=True)
class Tidied:
    """What an ended run left was put away, or `worked` is false."""

    run: str
    worked: bool


Message: TypeAlias = Look | WasPrepared | Acted | Tidied | None


def without_repeats(messages: Iterable[Message]) -> list[Message]:
    """Return messages in order, a look at each attempt once, however often there is news of it."""
    looks: set[Look] = set()
    kept: list[Message] = []
    for message in messages:
        if not isinstance(message, Look):
            kept.append(message)
        elif message not in looks:
            looks.add(message)
            kept.append(message)
    return kept
