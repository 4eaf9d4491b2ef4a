"""Plain git: a repository without a forge, whose `post-receive` hook tells of pushes.

The body is `{"type": "push", "changes": [{"ref", "before", "after", "message", "author"}, ...],
"pusher": ..., "options": [...]}`, signed the Standard Webhooks way. A status becomes a git note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from pipelines.events import Event
from webhooks import payloads
from webhooks.errors import PayloadError
from webhooks.forges import naming, pushes
from webhooks.forges.base import (
    Events,
    GitNote,
    HttpResponse,
    Ignored,
    Parsed,
    Refused,
    Status,
    Target,
)
from webhooks.payloads import JsonObject
from webhooks.signatures import verify_standard
from webhooks.texts import line

MOST_CHANGES = 100
_SKIP = "ci.skip"


@dataclass(frozen=True)
class Git:
    """The forge under the name `git`."""

    name: str = "git"
    media_types: frozenset[str] = frozenset({payloads.JSON_TYPE})

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
    ) -> None:
        verify_standard(secrets, headers, body, now)

    def parse(self, headers: Mapping[str, str], body: bytes) -> Parsed:
        document = payloads.document(headers, body)
        kind = payloads.text(document, "type")
        if kind != "push":
            return naming.ignored(line(kind) or "a message without a type", document)
        return _fan_out(document)

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        return naming.delivery_id(headers, ("webhook-id",), body)

    def event_name(self, headers: Mapping[str, str]) -> str:
        del headers  # The hook tells of pushes and of nothing else.
        return "push"

    def report(self, target: Target, status: Status) -> GitNote:
        del target  # A note lies in the repository itself.
        lines = [f"{line(status.context, 255)}: {status.state}", line(status.description)]
        if status.url:
            lines.append(line(status.url, 2048))
        return GitNote(status.commit, "".join(f"{text}\n" for text in lines if text))

    def understand(self, response: HttpResponse) -> Refused:
        del response
        return Refused("plain git takes notes and answers no requests")


def _fan_out(document: JsonObject) -> Parsed:
    """Return an event for each ref that starts a run, or all the reasons why none does.

    More refs than MOST_CHANGES at once are a mirror being filled, not somebody's work.
    """
    changes = document.get("changes")
    if not isinstance(changes, list):
        problem = "changes is no list of refs that moved"
        raise PayloadError(problem)
    if _SKIP in _options(document):
        return Ignored(f"push option {_SKIP} asks to skip CI")
    if len(changes) > MOST_CHANGES:
        return Ignored(f"push of {len(changes)} refs starts no run: more than {MOST_CHANGES}")
    return _gathered([_parse(change, document) for change in changes])


def _options(document: JsonObject) -> list[object]:
    found = document.get("options")
    return found if isinstance(found, list) else []


def _parse(change: object, document: JsonObject) -> Parsed:
    ref, before, after = pushes.read(change)
    move = pushes.Move(
        ref=ref,
        before=before,
        after=after,
        message=payloads.text(change, "message"),
        author=payloads.text(change, "author") or payloads.text(document, "pusher"),
    )
    return pushes.parse(move)


def _gathered(found: list[Parsed]) -> Parsed:
    events: list[Event] = []
    reasons: list[str] = []
    for parsed in found:
        match parsed:
            case Events():
                events.extend(parsed.events)
            case Ignored():
                reasons.append(parsed.reason)
            case _:
                assert_never(parsed)
    if events:
        return Events(tuple(events))
    return Ignored(line("; ".join(reasons), 255) or "push of no ref starts no run")
