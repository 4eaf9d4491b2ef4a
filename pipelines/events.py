"""What happened in git, the same for every forge."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, assert_never


class Trust(StrEnum):
    """How far the author of an event is trusted; computed once and kept through every rerun."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, kw_only=True)
class Push:
    """A branch moved to `commit`; `before` is None for a new branch."""

    kind: ClassVar[str] = "push"

    branch: str
    commit: str
    before: str | None = None
    forced: bool = False
    message: str = ""
    author: str = ""

    @property
    def ref(self) -> str:
        """The full name of the ref that moved."""
        return f"refs/heads/{self.branch}"


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag was made or moved; `commit` may name the tag object, which git peels."""

    kind: ClassVar[str] = "tag"

    tag: str
    commit: str
    message: str = ""
    author: str = ""

    @property
    def ref(self) -> str:
        """The full name of the tag's ref."""
        return f"refs/tags/{self.tag}"


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request was opened or its head moved to `commit`.

    `branch` is the branch it wants to go into, `base` that branch's commit, `fork` whether the
    head lives in another repository (or in one that is gone), `ref` where the head can be fetched.
    """

    kind: ClassVar[str] = "pull_request"

    number: int
    action: str
    branch: str
    source_branch: str
    commit: str
    ref: str
    base: str | None = None
    fork: bool = True
    draft: bool = False
    title: str = ""
    message: str = ""
    author: str = ""


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Somebody asked for a run of a commit by hand."""

    kind: ClassVar[str] = "manual"

    branch: str
    commit: str
    message: str = ""
    author: str = ""

    @property
    def ref(self) -> str:
        """The full name of the branch's ref."""
        return f"refs/heads/{self.branch}"


Event: TypeAlias = Push | Tag | PullRequest | Manual

_KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in (Push, Tag, PullRequest, Manual)}


def trust_of(event: Event) -> Trust:
    """Return how far an event is trusted: a pull request from a fork is not, all else is."""
    if isinstance(event, PullRequest) and event.fork:
        return Trust.UNTRUSTED
    return Trust.TRUSTED


def key_of(event: Event) -> str:
    """Return what makes two tellings the same act: equal keys in one repository, one run.

    A push is known by its ref, where it came from and where it went; a pull request by its number,
    the branch it wants to go into and its head, whichever action told of it. Empty for what
    somebody asked for by hand: asking twice means two runs.
    """
    match event:
        case Push():
            return f"push {event.ref} {event.before or ''} {event.commit}"
        case Tag():
            return f"tag {event.ref} {event.commit}"
        case PullRequest():
            return f"pull_request {event.number} {event.branch} {event.commit}"
        case Manual():
            return ""
        case _:
            assert_never(event)


def to_record(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON values, its kind under `kind`."""
    return {"kind": event.kind, **asdict(event)}


def from_record(record: dict[str, Any]) -> Event:
    """Return the event that `to_record` wrote; keys it does not know are passed over."""
    kind = _KINDS[record["kind"]]
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in names})
