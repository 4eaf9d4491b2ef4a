"""Whatever is sent, signed or not: an answer below 500, and nothing kept that cannot be stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipelines.events import from_record, to_record
from tests.webhooks.samples import (
    EVENT_HEADERS,
    NEW,
    NOW,
    OLD,
    ZERO,
    a_hook,
    a_pull,
    a_push,
    encoded,
    git_push,
    headers_for,
)
from webhooks.forges.registry import all_forges
from webhooks.memory import MemoryInbox
from webhooks.receiver import Receiver

FORGES = ["github", "gitea", "forgejo", "git"]
INBOX = MemoryInbox([a_hook(forge) for forge in FORGES])
CLIENT = TestClient(Starlette(routes=Receiver(INBOX, all_forges(), lambda: NOW, 20_000).routes()))

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
REFS = st.sampled_from(["refs/heads/main", "refs/tags/v1", "refs/heads/-x", "refs/notes/x"])
WORDS = ANY_TEXT | REFS | st.sampled_from([OLD, NEW, ZERO, "opened", "edited", "push"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.sampled_from(["push", "pull_request", "ping", "create"]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20
)
HEADER_VALUES = st.binary(max_size=80).filter(lambda value: not set(value) & set(b"\r\n\0"))


def send(forge: str, body: bytes, event: str = "push") -> int:
    headers = headers_for(forge, body, event=event, delivery=f"id{len(INBOX.deliveries)}")
    return CLIENT.post(f"/hooks/{forge}/hook-{forge}", content=body, headers=headers).status_code


def grown(document: object, path: list[int], value: object) -> object:
    """The document with one value somewhere in it replaced."""
    if not isinstance(document, dict | list) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key, rest = keys[path[0] % len(keys)], path[1:]
    copied = dict(document) if isinstance(document, dict) else dict(enumerate(document))
    copied[key] = grown(copied[key], rest, value) if rest else value
    return copied if isinstance(document, dict) else list(copied.values())


@pytest.mark.parametrize("forge", FORGES)
@given(body=st.binary(max_size=200), event=EVENTS)
@settings(deadline=None)
def test_signed_bytes(forge: str, body: bytes, event: str) -> None:
    assert send(forge, body, event) in (202, 400)


@pytest.mark.parametrize("forge", FORGES)
@given(document=st.dictionaries(ANY_TEXT, JSON, max_size=4), event=EVENTS)
@settings(deadline=None)
def test_signed_json(forge: str, document: object, event: str) -> None:
    assert send(forge, encoded(document), event) in (202, 400)


@pytest.mark.parametrize("forge", FORGES)
@given(path=st.lists(st.integers(0, 20), min_size=1, max_size=4), value=JSON, pull=st.booleans())
@settings(deadline=None, max_examples=300)
def test_nearly_right_documents(forge: str, path: list[int], value: object, pull: bool) -> None:
    right: object = a_pull("opened") if pull else a_push()
    if forge == "git":
        right = git_push("refs/heads/main", "refs/tags/v1")
    event = "pull_request" if pull else "push"
    assert send(forge, encoded(grown(right, path, value)), event) in (202, 400)


@pytest.mark.parametrize("forge", FORGES)
@given(
    body=st.binary(max_size=60),
    headers=st.dictionaries(
        st.sampled_from(
            [
                b"content-type",
                b"content-encoding",
                b"x-hub-signature-256",
                b"x-gitea-signature",
                b"x-forgejo-signature",
                b"webhook-id",
                b"webhook-timestamp",
                b"webhook-signature",
                *(name.encode() for name in EVENT_HEADERS.values()),
            ]
        ),
        HEADER_VALUES,
    ),
    typed=st.sampled_from([b"application/json", b"application/x-www-form-urlencoded", None]),
)
@settings(deadline=None)
def test_any_headers(
    forge: str, body: bytes, headers: dict[bytes, bytes], typed: bytes | None
) -> None:
    if typed is not None:
        headers = {**headers, b"content-type": typed}
    answer = CLIENT.post(f"/hooks/{forge}/hook-{forge}", content=body, headers=headers)
    assert answer.status_code in (401, 415)


def test_all_that_was_kept_can_be_stored() -> None:
    """Runs last in this file, over whatever the tests before it got accepted."""
    send("github", encoded(a_push()))
    for delivery in INBOX.deliveries:
        for text in (delivery.forge_id, delivery.event, delivery.ignored or ""):
            assert "\x00" not in text
            text.encode()
        for event in delivery.events:
            record = json.dumps(to_record(event), ensure_ascii=False)
            assert "\\u0000" not in record
            record.encode()
            assert from_record(json.loads(record)) == event
