"""A ref that moved, the same for every forge: a branch, a tag, or nothing that starts a run."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.events import Push, Tag
from webhooks import payloads, refs
from webhooks.forges.base import Events, Ignored, Parsed
from webhooks.payloads import JsonObject
from webhooks.skipping import asks_to_skip
from webhooks.texts import MESSAGE_LIMIT, clean


@dataclass(frozen=True, kw_only=True)
class Move:
    """A ref that went from one commit to another; zeros stand for nothing; texts as sent."""

    ref: str
    before: str | None
    after: str
    forced: bool = False
    message: str = ""
    author: str = ""


def read(tree: object) -> tuple[str, str | None, str]:
    """Return `ref`, `before` and `after` of a payload, checked; PayloadError if one is not sound.

    `before` may be missing, and is None then and where the ref is new.
    """
    ref = refs.checked(payloads.within(tree, "ref"))
    after = payloads.commit(tree, "after")
    if payloads.within(tree, "before") is None:
        return ref, None, after
    before = payloads.commit(tree, "before")
    return ref, None if payloads.is_zero(before) else before, after


def hub_move(document: JsonObject) -> Move:
    """Return the move in a `push` payload of GitHub's shape, which Gitea and Forgejo share."""
    ref, before, after = read(document)
    head = _head(document, after)
    return Move(
        ref=ref,
        before=before,
        after=after,
        forced=document.get("forced") is True,
        message=payloads.text(head, "message"),
        author=payloads.text(head, "author", "name") or _pusher(document),
    )


def parse(move: Move) -> Parsed:
    """Return the event of a move, or why it starts nothing."""
    if payloads.is_zero(move.after):
        return Ignored(f"deletion of {move.ref} starts no run")
    if move.ref.startswith(refs.TAGS):
        return Events((_tag(move),))
    if not move.ref.startswith(refs.BRANCHES):
        return Ignored(f"push of {move.ref} starts no run: it is no branch and no tag")
    if asks_to_skip(move.message):
        return Ignored(f"push of {move.ref}: its head commit asks to skip CI")
    return Events((_push(move),))


def _push(move: Move) -> Push:
    return Push(
        branch=move.ref.removeprefix(refs.BRANCHES),
        commit=move.after,
        before=move.before,
        forced=move.forced,
        message=clean(move.message, MESSAGE_LIMIT),
        author=clean(move.author),
    )


def _tag(move: Move) -> Tag:
    return Tag(
        tag=move.ref.removeprefix(refs.TAGS),
        commit=move.after,
        message=clean(move.message, MESSAGE_LIMIT),
        author=clean(move.author),
    )


def _head(document: JsonObject, after: str) -> object:
    # Older Gitea sends no head_commit; its list of commits holds it all the same.
    head = document.get("head_commit")
    commits = document.get("commits")
    if head is None and isinstance(commits, list):
        found = [entry for entry in commits if payloads.within(entry, "id") == after]
        return found[0] if found else None
    return head


def _pusher(document: JsonObject) -> str:
    pusher = document.get("pusher")
    return payloads.text(pusher, "login") or payloads.text(pusher, "name")
