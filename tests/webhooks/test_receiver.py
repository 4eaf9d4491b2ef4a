"""The receiver: what each delivery is answered with, and that an answer gives nothing away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from pipelines.events import PullRequest, Push
from tests.webhooks.samples import (
    NOW,
    OTHER_SECRET,
    SECRET,
    a_hook,
    a_pull,
    a_push,
    encoded,
    form,
    git_push,
    headers_for,
)
from webhooks.deliveries import Hook, Inbox
from webhooks.errors import SecretError, SignatureError
from webhooks.forges.github import GitHub
from webhooks.forges.registry import all_forges
from webhooks.memory import MemoryInbox, Refusal
from webhooks.receiver import UNVERIFIED, Receiver

FORGES = ["github", "gitea", "forgejo", "git"]
LIMIT = 5000


def client_of(inbox: Inbox) -> TestClient:
    receiver = Receiver(inbox, all_forges(), lambda: NOW, LIMIT)
    return TestClient(Starlette(routes=receiver.routes()), raise_server_exceptions=True)


@pytest.fixture
def inbox() -> MemoryInbox:
    hooks = [a_hook(forge) for forge in FORGES]
    return MemoryInbox(hooks, address="http://ci.example", follow="/follow")


@pytest.fixture
def client(inbox: MemoryInbox) -> Iterator[TestClient]:
    with client_of(inbox) as client:
        yield client


def body_for(forge: str) -> bytes:
    return encoded(git_push("refs/heads/main") if forge == "git" else a_push())


@pytest.mark.parametrize("forge", FORGES)
def test_a_push_is_a_run(forge: str, client: TestClient, inbox: MemoryInbox) -> None:
    body = body_for(forge)
    answer = client.post(
        f"/hooks/{forge}/hook-{forge}", content=body, headers=headers_for(forge, body)
    )
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "delivery": "one",
        "runs": [
            {
                "id": "run-1",
                "number": 1,
                "url": "http://ci.example/runs/run-1",
                "ref": "refs/heads/main",
            }
        ],
        "follow": "/follow/run-1",
    }
    (delivery,) = inbox.deliveries
    assert delivery.hook == inbox.hook(f"hook-{forge}")
    assert (delivery.event, delivery.forge_id) == ("push", "one")
    assert (delivery.received_at, delivery.ignored) == (NOW, None)
    assert isinstance(delivery.events[0], Push)
    assert len(delivery.body_digest) == 64


@pytest.mark.parametrize("forge", FORGES)
def test_a_duplicate_is_answered_like_the_first(
    forge: str, client: TestClient, inbox: MemoryInbox
) -> None:
    body = body_for(forge)
    headers = headers_for(forge, body)
    answers = [
        client.post(f"/hooks/{forge}/hook-{forge}", content=body, headers=headers).content
        for _ in range(3)
    ]
    assert len(set(answers)) == 1
    assert len(inbox.runs) == 1


def test_the_same_act_under_another_id_is_the_same_run(
    client: TestClient, inbox: MemoryInbox
) -> None:
    body = body_for("github")
    for delivery in ("one", "two"):
        headers = headers_for("github", body, delivery=delivery)
        answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
        assert answer.json()["delivery"] == delivery
        assert answer.json()["runs"][0]["id"] == "run-1"
    assert len(inbox.deliveries) == 2


def test_a_pull_request_is_a_run(client: TestClient, inbox: MemoryInbox) -> None:
    body = encoded(a_pull())
    headers = headers_for("github", body, event="pull_request")
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.json()["runs"][0]["ref"] == "refs/pull/7/head"
    assert isinstance(inbox.deliveries[0].events[0], PullRequest)


def test_several_refs_are_several_runs(client: TestClient) -> None:
    body = encoded(git_push("refs/heads/main", "refs/notes/x", "refs/tags/v1"))
    answer = client.post("/hooks/git/hook-git", content=body, headers=headers_for("git", body))
    assert [run["ref"] for run in answer.json()["runs"]] == ["refs/heads/main", "refs/tags/v1"]


@pytest.mark.parametrize(
    ("event", "document", "reason"),
    [
        ("ping", {"zen": "x"}, "ping"),
        ("issues", {"action": "opened"}, "issues (opened) starts no run"),
        ("push", a_push(after="0" * 40), "deletion of refs/heads/main starts no run"),
    ],
)
def test_ignored_is_fine(
    event: str, document: object, reason: str, client: TestClient, inbox: MemoryInbox
) -> None:
    body = encoded(document)
    headers = headers_for("github", body, event=event)
    for _ in range(2):
        answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
        assert answer.status_code == 202
        assert answer.json() == {"delivery": "one", "ignored": reason}
    assert len(inbox.deliveries) == 1
    assert inbox.refusals == []


@pytest.mark.parametrize("forge", ["github", "gitea", "forgejo"])
def test_forms_are_taken(forge: str, client: TestClient) -> None:
    body = form(a_push())
    headers = headers_for(forge, body, content_type="application/x-www-form-urlencoded")
    answer = client.post(f"/hooks/{forge}/hook-{forge}", content=body, headers=headers)
    assert answer.json()["runs"][0]["ref"] == "refs/heads/main"


UNVERIFIED_BODY = {"error": "unverified", "message": UNVERIFIED}


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    ("hook_id", "secret", "told_to", "reason"),
    [
        ("hook-{forge}", OTHER_SECRET, "hook-{forge}", "signature-wrong"),
        ("hook-unknown", SECRET, None, "signature-wrong"),
        ("hook-other", SECRET, "hook-other", "signature-wrong"),
        ("a%00b", SECRET, None, "signature-wrong"),
        ("x" * 200, SECRET, None, "signature-wrong"),
    ],
)
def test_unverified_is_one_answer(
    forge: str, hook_id: str, secret: str, told_to: str | None, reason: str
) -> None:
    elsewhere = "git" if forge == "github" else "github"
    inbox = MemoryInbox([a_hook(forge), a_hook(elsewhere, hook_id="hook-other")])
    body = body_for(forge)
    url = f"/hooks/{forge}/{hook_id.format(forge=forge)}"
    headers = headers_for(forge, body, secret=secret)
    answer = client_of(inbox).post(url, content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == UNVERIFIED_BODY
    told = told_to.format(forge=forge) if told_to else None
    assert inbox.refusals == [Refusal(told, reason, NOW)]
    assert inbox.deliveries == []


class Listening(MemoryInbox):
    """Remembers which hooks it was asked for."""

    asked: tuple[str, ...] = ()

    def hook(self, hook_id: str) -> Hook | None:
        self.asked += (hook_id,)
        return super().hook(hook_id)


@pytest.mark.parametrize("hook_id", ["a%00b", "x" * 129, "%F0%9F%A6%8A", "a%20b", "a'b"])
def test_no_store_is_asked_for_what_cannot_be_a_hook(hook_id: str) -> None:
    inbox = Listening([])
    headers = headers_for("github", b"{}")
    answer = client_of(inbox).post(f"/hooks/github/{hook_id}", content=b"{}", headers=headers)
    assert (answer.status_code, inbox.asked) == (401, ())


@pytest.mark.parametrize("hook_id", ["hook-github", "hook-unknown"])
def test_unsigned_is_answered_the_same(
    hook_id: str, client: TestClient, inbox: MemoryInbox
) -> None:
    headers = {"content-type": "application/json", "x-github-event": "push"}
    answer = client.post(f"/hooks/github/{hook_id}", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()) == (401, UNVERIFIED_BODY)
    assert inbox.refusals[0].reason == "signature-missing"


def test_a_signature_sent_twice_fits_nothing(client: TestClient) -> None:
    body = body_for("github")
    headers = list(headers_for("github", body).items())
    headers += [header for header in headers if header[0] == "x-hub-signature-256"]
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "value", [b"sha256=\xe9", b"\xff" * 64, b"sha256=", b"sha256=" + b"0" * 64]
)
def test_no_signature_header_crashes(value: bytes, client: TestClient) -> None:
    headers = {b"content-type": b"application/json", b"x-hub-signature-256": value}
    answer = client.post("/hooks/github/hook-github", content=b"{}", headers=headers)
    assert answer.status_code == 401


class Gullible(GitHub):
    """Takes every signature for good."""

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
    ) -> None:
        pass


def test_an_unknown_hook_stays_shut_even_if_the_decoy_were_guessed(inbox: MemoryInbox) -> None:
    receiver = Receiver(inbox, {"github": Gullible()}, lambda: NOW)
    headers = {"x-github-event": "push"}
    assert receiver.take(Gullible(), "hook-github", headers, body_for("github")).runs
    for hook_id in ("hook-unknown", "hook-git"):
        with pytest.raises(SignatureError):
            receiver.take(Gullible(), hook_id, headers, body_for("github"))


class Misconfigured(MemoryInbox):
    """Holds a row whose secret is empty, which no Hook can be made of."""

    def hook(self, hook_id: str) -> Hook | None:
        problem = "hook-github has an empty secret"
        raise SecretError(problem)


def test_a_hook_without_a_usable_secret_takes_nothing() -> None:
    inbox = Misconfigured([])
    body = body_for("github")
    answer = client_of(inbox).post(
        "/hooks/github/hook-github", content=body, headers=headers_for("github", body)
    )
    assert (answer.status_code, answer.json()) == (401, UNVERIFIED_BODY)
    assert inbox.refusals[0].reason == "empty-secret"


def test_a_malformed_secret_takes_nothing() -> None:
    inbox = MemoryInbox([replace(a_hook("git"), secrets=("whsec_%%",))])
    body = body_for("git")
    answer = client_of(inbox).post(
        "/hooks/git/hook-git", content=body, headers=headers_for("git", body)
    )
    assert answer.status_code == 401
    assert inbox.refusals[0].reason == "malformed-secret"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload"),
        (b"{", "payload"),
        (b'{"a": NaN}', "payload"),
        (b"[" * 4000, "payload"),
        (b'{"a": ' + b"9" * 4500 + b"}", "payload"),
        ('{"a": 1}'.encode("utf-16"), "payload"),
        (encoded(a_push(ref="refs/heads/-x")), "hostile-ref"),
        (encoded(a_push(ref="refs/heads/\ud800\x00")), "hostile-ref"),
        (encoded(a_push(after="\ud800")), "payload"),
    ],
)
def test_bad_json_after_a_good_signature(
    body: bytes, code: str, client: TestClient, inbox: MemoryInbox
) -> None:
    headers = headers_for("github", body)
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == code
    assert inbox.refusals == [Refusal("hook-github", code, NOW)]
    assert inbox.deliveries == []


def test_nothing_of_a_payload_breaks_the_answer(client: TestClient) -> None:
    body = encoded({"action": "\ud800\x00\x1b"})
    headers = headers_for("github", body, event="issues")
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.json()["ignored"] == "issues (\ufffd\ufffd) starts no run"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post(method: str, client: TestClient) -> None:
    answer = client.request(method, "/hooks/github/hook-github")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_unknown_forge(client: TestClient) -> None:
    answer = client.post("/hooks/gitolite/x", content=b"{}")
    assert answer.status_code == 404
    assert "forgejo, git, gitea, github" in answer.json()["message"]


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        ("github", "text/plain"),
        ("github", "multipart/form-data; boundary=x"),
        ("github", ""),
        ("git", "application/x-www-form-urlencoded"),
    ],
)
def test_unsupported_types(forge: str, told: str, client: TestClient, inbox: MemoryInbox) -> None:
    body = body_for(forge)
    headers = headers_for(forge, body, content_type=told)
    answer = client.post(f"/hooks/{forge}/hook-{forge}", content=body, headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error"] == "content-type"
    assert inbox.refusals == [Refusal(None, "content-type", NOW)]


def test_json_with_a_charset_is_fine(client: TestClient) -> None:
    body = body_for("github")
    headers = headers_for("github", body, content_type="Application/JSON; charset=utf-8")
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_the_limit_is_exact(size: int, client: TestClient, inbox: MemoryInbox) -> None:
    start = body_for("github")
    body = start + b" " * (size - len(start))
    answer = client.post(
        "/hooks/github/hook-github", content=body, headers=headers_for("github", body)
    )
    assert answer.status_code == (202 if size == LIMIT else 413)
    if size > LIMIT:
        assert answer.headers["connection"] == "close"
        assert inbox.refusals == [Refusal(None, "too-large", NOW)]


def run_asgi(
    inbox: Inbox, headers: Mapping[str, str], messages: list[Message]
) -> tuple[list[Message], int]:
    """Send these messages as one request; what came back, and how many were read."""
    receiver = Receiver(inbox, all_forges(), lambda: NOW, LIMIT)
    sent: list[Message] = []
    waiting = iter(messages)
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/hooks/github/hook-github",
        "path_params": {"forge": "github", "hook_id": "hook-github"},
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(receiver(scope, receive, send))
    return sent, read


def chunk(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b" " * size, "more_body": more}


JSON = {"content-type": "application/json"}


def test_nothing_is_read_of_a_body_that_says_it_is_too_large(inbox: MemoryInbox) -> None:
    sent, read = run_asgi(inbox, {**JSON, "content-length": str(LIMIT + 1)}, [])
    assert (sent[0]["status"], read) == (413, 0)


@pytest.mark.parametrize("length", ["", "x", "-1", "7", "9" * 30])
def test_a_lie_about_the_length_does_not_help(length: str, inbox: MemoryInbox) -> None:
    messages = [chunk(LIMIT), chunk(1), chunk(1), chunk(0, more=False)]
    sent, read = run_asgi(inbox, {**JSON, "content-length": length}, messages)
    assert (sent[0]["status"], read) == (413, 2)


def test_a_sender_that_hangs_up_is_no_failure(inbox: MemoryInbox) -> None:
    sent, _ = run_asgi(inbox, JSON, [chunk(5), {"type": "http.disconnect"}])
    assert sent == []
    assert inbox.deliveries == []


def test_an_inbox_that_is_away_means_later(client: TestClient, inbox: MemoryInbox) -> None:
    body = body_for("github")
    headers = headers_for("github", body)
    inbox.available = False
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"] == "unavailable"
    inbox.available = True
    answer = client.post("/hooks/github/hook-github", content=body, headers=headers)
    assert answer.status_code == 202


def test_an_inbox_that_is_away_cannot_count_refusals(
    client: TestClient, inbox: MemoryInbox
) -> None:
    inbox.available = False
    answer = client.post("/hooks/github/x", content=b"", headers={"content-type": "text/html"})
    assert answer.status_code == 503
