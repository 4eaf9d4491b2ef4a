"""The seam between the receiver, the reporter and a forge; nothing behind it does any I/O.

Header names are lower-case everywhere: the receiver folds those of a delivery, and whoever sends
an `HttpRequest` folds those of the response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from pipelines.events import Event


@dataclass(frozen=True)
class Events:
    """A delivery that tells of at least one act that may start a run."""

    events: tuple[Event, ...]


@dataclass(frozen=True)
class Ignored:
    """A delivery that is fine and starts nothing; the reason names the event."""

    reason: str


Parsed: TypeAlias = Events | Ignored


class StatusState(StrEnum):
    """What a commit status can say; each forge says it in its own words."""

    PENDING = "pending"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Target:
    """Where statuses of a repository go, from the configuration and never from a payload.

    `api_url` is `https://api.github.com` (or a GitHub Enterprise `https://HOST/api/v3`) for GitHub
    and the address of the instance for Gitea and Forgejo; `repository` is `OWNER/NAME`.
    """

    api_url: str
    repository: str
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is to be shown on a commit; `url` is where a click on it leads, empty for nowhere."""

    commit: str
    context: str
    state: StatusState
    description: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request for somebody else to send; its headers hold the token."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: Mapping[str, str]


@dataclass(frozen=True)
class HttpResponse:
    """What came back; header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class GitNote:
    """A status for a forge that has none: to be written as a git note on the commit."""

    commit: str
    text: str


@dataclass(frozen=True)
class Taken:
    """The forge shows the status."""


@dataclass(frozen=True)
class Later:
    """Worth another try after `seconds`, or whenever the caller's back-off says if that is None."""

    seconds: float | None
    why: str


@dataclass(frozen=True)
class Refused:
    """The forge will not take this status, however often it is sent."""

    why: str


Understood: TypeAlias = Taken | Later | Refused


class Forge(Protocol):
    """One kind of forge: verifies and parses deliveries, phrases statuses, reads the answers."""

    @property
    def name(self) -> str:
        """The name in hook URLs and in the configuration."""
        ...

    @property
    def media_types(self) -> frozenset[str]:
        """The content types in which it delivers."""
        ...

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
    ) -> None:
        """Raise SignatureError unless one of `secrets` signed this; `now` is epoch seconds."""
        ...

    def parse(self, headers: Mapping[str, str], body: bytes) -> Parsed:
        """Return what a verified delivery tells; PayloadError if it is not this forge's JSON."""
        ...

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the forge's id of a delivery, or the SHA-256 of its body if it has none."""
        ...

    def event_name(self, headers: Mapping[str, str]) -> str:
        """Return the forge's word for the event, empty if it did not say."""
        ...

    def report(self, target: Target, status: Status) -> HttpRequest | GitNote:
        """Return what tells the forge of a status; TargetError if it has no address."""
        ...

    def understand(self, response: HttpResponse) -> Understood:
        """Return what an answer to `report`'s request means for the status."""
        ...
