"""Pull requests in the payload's shape that GitHub, Gitea and Forgejo share."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.events import PullRequest
from webhooks import payloads, refs
from webhooks.forges.base import Events, Ignored, Parsed
from webhooks.payloads import JsonObject
from webhooks.texts import clean, line


def parse(document: JsonObject, actions: Mapping[str, str]) -> Parsed:
    """Return the event of a `pull_request` payload, or why it starts nothing.

    `actions` maps a forge's words for what moves the head to those that events use. An edit starts
    a run only if it changed the branch that the pull request wants to go into. Drafts start runs.
    """
    told = payloads.text(document, "action")
    if told == "edited" and _base_changed(document):
        return Events((_event(document, told),))
    if told in actions:
        return Events((_event(document, actions[told]),))
    return Ignored(line(f"pull_request {clean(told)} starts no run"))


def _event(document: JsonObject, action: str) -> PullRequest:
    pull = document.get("pull_request")
    number = payloads.number(pull, "number")
    return PullRequest(
        number=number,
        action=action,
        branch=refs.checked_branch(payloads.within(pull, "base", "ref")),
        source_branch=refs.checked_branch(payloads.within(pull, "head", "ref")),
        commit=payloads.commit(pull, "head", "sha"),
        ref=f"refs/pull/{number}/head",
        base=payloads.commit(pull, "base", "sha"),
        fork=_from_fork(pull),
        draft=payloads.within(pull, "draft") is True,
        title=clean(payloads.within(pull, "title")),
        author=clean(payloads.within(pull, "user", "login")),
    )


def _from_fork(pull: object) -> bool:
    # By id, because a name can be taken over; a head repository that is gone was a fork.
    head = payloads.within(pull, "head", "repo", "id")
    base = payloads.within(pull, "base", "repo", "id")
    return not isinstance(head, int) or head != base


def _base_changed(document: JsonObject) -> bool:
    # GitHub tells it as changes.base, Gitea as changes.ref.
    changes = document.get("changes")
    return bool(payloads.within(changes, "base") or payloads.within(changes, "ref"))
