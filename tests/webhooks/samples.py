"""Small deliveries of our own making, in the shapes that forges send, and their signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from pipelines.events import Push
from webhooks.deliveries import Delivery, Hook
from webhooks.signatures import hex_signature, standard_headers

OLD, NEW, ZERO = "1" * 40, "2" * 40, "0" * 40
NOW = 1_800_000_000.0

# Not secret: "the quick brown fox, 32 bytes long" in the form that fits every scheme.
SECRET = "whsec_dGhlIHF1aWNrIGJyb3duIGZveCwgMzIgYnl0ZXMgbG9uZw=="
OTHER_SECRET = "whsec_YW5vdGhlciBxdWljayBicm93biBmb3gsIHRoaXJ0eSB0d28="

EVENT_HEADERS = {
    "github": "x-github-event",
    "gitea": "x-gitea-event",
    "forgejo": "x-forgejo-event",
}
DELIVERY_HEADERS = {
    "github": "x-github-delivery",
    "gitea": "x-gitea-delivery",
    "forgejo": "x-forgejo-delivery",
    "git": "webhook-id",
}


def a_hook(forge: str = "github", *, hook_id: str = "", secrets: tuple[str, ...] = ()) -> Hook:
    return Hook(hook_id or f"hook-{forge}", "octo/demo", forge, secrets or (SECRET,))


def a_delivery(hook: Hook, forge_id: str = "one", **changed: object) -> Delivery:
    given: dict[str, object] = {
        "events": (Push(branch="main", commit=NEW, before=OLD),),
        "event": "push",
        "received_at": NOW,
        "body_digest": "d" * 64,
    }
    return Delivery(hook=hook, forge_id=forge_id, **{**given, **changed})  # type: ignore[arg-type]


def a_push(**changed: object) -> dict[str, object]:
    """A `push` in the shape of GitHub, Gitea and Forgejo."""
    return {
        "ref": "refs/heads/main",
        "before": OLD,
        "after": NEW,
        "forced": False,
        "head_commit": {"id": NEW, "message": "Fix the thing", "author": {"name": "Ada"}},
        "commits": [],
        "pusher": {"name": "ada"},
        **changed,
    }


def a_pull(action: str = "opened", /, **changed: object) -> dict[str, object]:
    """A `pull_request` in the shape of GitHub, Gitea and Forgejo; `changed` goes into the pull."""
    pull = {
        "number": 7,
        "title": "Better",
        "draft": False,
        "user": {"login": "ada"},
        "head": {"ref": "topic", "sha": NEW, "repo": {"id": 1}},
        "base": {"ref": "main", "sha": OLD, "repo": {"id": 1}},
        **changed,
    }
    return {"action": action, "number": 7, "pull_request": pull}


def git_push(*refs: str, **changed: object) -> dict[str, object]:
    """What `post-receive` tells of these refs."""
    changes = [
        {"ref": ref, "before": OLD, "after": NEW, "message": "Fix", "author": "Ada"} for ref in refs
    ]
    return {"type": "push", "changes": changes, "pusher": "ada", "options": [], **changed}


def encoded(document: object) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def form(document: object) -> bytes:
    return urlencode({"payload": encoded(document).decode()}).encode()


def headers_for(
    forge: str,
    body: bytes,
    *,
    event: str = "push",
    delivery: str = "one",
    secret: str = SECRET,
    content_type: str = "application/json",
) -> dict[str, str]:
    """The headers with which a forge would send `body`, names in lower case."""
    headers = {"content-type": content_type}
    if forge == "git":
        return {**headers, **standard_headers(secret, delivery, int(NOW), body)}
    headers |= {EVENT_HEADERS[forge]: event, DELIVERY_HEADERS[forge]: delivery}
    return {**headers, **signature_for(forge, body, secret)}


def signature_for(forge: str, body: bytes, secret: str) -> Mapping[str, str]:
    mac = hex_signature(secret, body)
    if forge == "github":
        return {"x-hub-signature-256": f"sha256={mac}"}
    return {f"x-{forge}-signature": mac}
