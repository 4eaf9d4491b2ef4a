"""Does this event make a run? What `on:` says, against what happened in git."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from pipelines.events import Event, Manual, PullRequest, Push, Tag
from pipelines.patterns import Patterns
from pipelines.schema import Triggers


def refusal(on: Triggers, event: Event, changed: Sequence[str] | None) -> str | None:
    """Return why this event makes no run, in words for a person; None if it makes one.

    `changed` holds the paths that the event changed, None if that cannot be known: then every
    path filter lets it pass.
    """
    match event:
        case Push():
            if on.push is None:
                return _not_named(event)
            return _filtered("on.push.branches", on.push.branches, event.branch) or _untouched(
                "on.push.paths", on.push.paths, changed
            )
        case Tag():
            if on.tag is None:
                return _not_named(event)
            return _filtered("on.tag.tags", on.tag.tags, event.tag)
        case PullRequest():
            if on.pull_request is None:
                return _not_named(event)
            trigger = on.pull_request
            return _filtered("on.pull_request.branches", trigger.branches, event.branch) or (
                _untouched("on.pull_request.paths", trigger.paths, changed)
            )
        case Manual():
            return None
        case _:
            assert_never(event)


def _not_named(event: Event) -> str:
    return f"`on` does not name {event.kind}"


def _filtered(key: str, patterns: Sequence[str], name: str) -> str | None:
    if not patterns or Patterns.of(patterns).matches(name):
        return None
    return f"`{key}` does not match {name}"


def _untouched(key: str, patterns: Sequence[str], changed: Sequence[str] | None) -> str | None:
    if not patterns or changed is None or Patterns.of(patterns).matches_any_path(changed):
        return None
    return f"`{key}` matches none of the {len(changed)} changed files"
