"""The fake forge refuses what real ones refuse, and goes wrong as they do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.forge import (
    MOST_STATUSES,
    TOO_MANY,
    Dialect,
    FakeForge,
    Fault,
    HangUp,
    Slow,
    broken,
    not_found,
    quota_spent,
    rate_limited,
    secondary_limit,
    too_many_statuses,
)

SHA = "0123456789abcdef0123456789abcdef01234567"
GITHUB = f"/repos/ada/web/statuses/{SHA}"
GITEA = f"/api/v1{GITHUB}"
STATUS: dict[str, Any] = {
    "state": "success",
    "context": "ci/hookline",
    "description": "passed in 3 s",
    "target_url": "https://ci.example/runs/1",
}


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with FakeForge(unknown=("ada/secret",)) as forge:
        yield forge


@pytest.fixture
def client(forge: FakeForge) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=forge.url, headers={"Authorization": "Bearer t0ken"}) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "dialect", "authorization"),
    [
        (GITHUB, Dialect.GITHUB, "Bearer t0ken"),
        (GITHUB, Dialect.GITHUB, "token t0ken"),
        (GITEA, Dialect.GITEA, "token t0ken"),
        (GITEA, Dialect.GITEA, "Bearer t0ken"),
    ],
)
def test_a_sound_status_is_taken(
    forge: FakeForge, client: httpx2.Client, path: str, dialect: Dialect, authorization: str
) -> None:
    answer = client.post(path, json=STATUS, headers={"Authorization": authorization})
    assert answer.status_code == 201
    (post,) = forge.statuses(SHA)
    assert (post.dialect, post.repository, post.sha) == (dialect, "ada/web", SHA)
    assert {name: getattr(post, name) for name in STATUS} == STATUS


def test_what_is_not_said_has_its_default(forge: FakeForge, client: httpx2.Client) -> None:
    client.post(GITHUB, json={"state": "pending", "target_url": None})
    (post,) = forge.posts
    assert (post.context, post.description, post.target_url) == ("default", "", "")


@pytest.mark.parametrize(
    ("path", "change", "code", "message"),
    [
        (GITHUB, {"state": "warning"}, 422, "state is not included"),
        (GITHUB, {"state": "cancelled"}, 422, "state is not included"),
        (GITHUB, {"state": None}, 422, "state is not included"),
        (GITHUB, {"state": 1}, 422, "state is not a string"),
        (GITHUB, {"description": "x" * 141}, 422, "description is too long"),
        (GITHUB, {"description": "x" * 140}, 201, ""),
        (GITHUB, {"context": "x" * 256}, 422, "context is too long"),
        (GITHUB, {"target_url": "javascript:alert(1)"}, 422, "target_url must use http"),
        (GITHUB, {"target_url": "/runs/1"}, 422, "target_url must use http"),
        (GITHUB, {"context": ["x"]}, 422, "context is not a string"),
        (GITHUB[:-1], {}, 422, "No commit found"),
        (GITHUB[:-1] + "G", {}, 422, "No commit found"),
        ("/repos/ada/web/statuses/main", {}, 422, "No commit found"),
        ("/repos/ada/web/statuses/" + "a" * 64, {}, 201, ""),
        (GITEA, {"state": "warning"}, 201, ""),
        (GITEA, {"state": "cancelled"}, 422, "state is not included"),
        (GITEA, {"description": "x" * 1000}, 201, ""),
        (f"/repos/ada/secret/statuses/{SHA}", {}, 404, "Not Found"),
    ],
)
def test_what_real_ones_refuse(
    forge: FakeForge,
    client: httpx2.Client,
    path: str,
    change: dict[str, Any],
    code: int,
    message: str,
) -> None:
    answer = client.post(path, json={**STATUS, **change})
    assert answer.status_code == code
    assert message in answer.json().get("message", "")
    (post,) = forge.posts
    assert (post.code, post.accepted) == (code, code == 201)
    assert len(forge.statuses(post.sha)) == (code == 201)


@pytest.mark.parametrize("value", ["", "t0ken", "Bearer wrong", "Basic t0ken", "bearer t0ken"])
def test_the_token_has_its_form(client: httpx2.Client, value: str) -> None:
    answer = client.post(GITHUB, json=STATUS, headers={"Authorization": value})
    assert (answer.status_code, answer.json()) == (401, {"message": "Bad credentials"})


def test_a_client_has_a_name(client: httpx2.Client) -> None:
    assert client.post(GITHUB, json=STATUS, headers={"User-Agent": ""}).status_code == 403
    assert client.post(GITEA, json=STATUS, headers={"User-Agent": ""}).status_code == 201


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/x-www-form-urlencoded", b"state=success", 415),
        ("text/plain", b'{"state": "success"}', 415),
        ("application/json", b"{", 400),
        ("application/json", b'["state"]', 400),
        ("application/json; charset=utf-8", b'{"state": "success"}', 201),
    ],
)
def test_the_body_is_json(client: httpx2.Client, kind: str, body: bytes, code: int) -> None:
    answer = client.post(GITHUB, content=body, headers={"Content-Type": kind})
    assert answer.status_code == code


def test_there_is_nothing_else(forge: FakeForge, client: httpx2.Client) -> None:
    assert client.post("/repos/ada/web/issues", json=STATUS).status_code == 404
    assert client.post(f"{GITHUB}/", json=STATUS).status_code == 404
    assert forge.posts == ()


def test_one_commit_and_context_can_be_full(forge: FakeForge, client: httpx2.Client) -> None:
    for _ in range(MOST_STATUSES):
        forge.take(GITHUB, {"Authorization": "token t0ken", **_JSON}, b'{"state": "pending"}')
    answer = client.post(GITHUB, json={"state": "success"})
    assert (answer.status_code, answer.json()["message"]) == (422, TOO_MANY)
    assert client.post(GITHUB, json=STATUS).status_code == 201
    assert client.post(GITEA, json={"state": "success"}).status_code == 201


_JSON = {"Content-Type": "application/json", "User-Agent": "test"}


@pytest.mark.parametrize(
    ("fault", "code", "headers"),
    [
        (rate_limited(7), 429, {"retry-after": "7"}),
        (quota_spent(123), 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "123"}),
        (secondary_limit(), 403, {}),
        (broken(), 502, {}),
        (broken(503), 503, {}),
        (not_found(), 404, {}),
        (too_many_statuses(), 422, {}),
    ],
)
def test_answers_that_were_asked_for(
    forge: FakeForge, client: httpx2.Client, fault: Fault, code: int, headers: dict[str, str]
) -> None:
    forge.fault(fault, times=2)
    for _ in range(2):
        answer = client.post(GITHUB, json=STATUS)
        assert answer.status_code == code
        assert headers.items() <= dict(answer.headers).items()
        assert "date" in answer.headers
    assert client.post(GITHUB, json=STATUS).status_code == 201
    assert [post.code for post in forge.posts] == [code, code, 201]
    assert forge.states(SHA) == ["success"]


def test_faults_come_in_order(forge: FakeForge, client: httpx2.Client) -> None:
    for fault in (not_found(), None, broken()):
        forge.fault(fault)
    codes = [client.post(GITHUB, json=STATUS).status_code for _ in range(4)]
    assert codes == [404, 201, 502, 201]


def test_a_connection_that_is_lost_after_the_status_was_taken(
    forge: FakeForge, client: httpx2.Client
) -> None:
    forge.fault(HangUp())
    with pytest.raises(httpx2.RemoteProtocolError):
        client.post(GITHUB, json=STATUS)
    assert forge.states(SHA) == ["success"]
    assert client.post(GITHUB, json={**STATUS, "state": "error"}).status_code == 201
    assert forge.states(SHA) == ["success", "error"]


def test_a_slow_answer(forge: FakeForge, client: httpx2.Client) -> None:
    forge.fault(Slow(300))
    with pytest.raises(httpx2.ReadTimeout):
        client.post(GITHUB, json=STATUS, timeout=0.2)
    assert forge.posts == ()
    forge.fault(Slow(0.01))
    assert client.post(GITHUB, json=STATUS).status_code == 201


def test_states_of_one_context(forge: FakeForge, client: httpx2.Client) -> None:
    for context, state in (("a", "pending"), ("b", "pending"), ("a", "failure")):
        client.post(GITHUB, json={"state": state, "context": context})
    assert forge.states(SHA, "a") == ["pending", "failure"]
    assert forge.states(SHA) == ["pending", "pending", "failure"]
    assert forge.states("f" * 40) == []


def test_waiting_for_what_comes(forge: FakeForge, client: httpx2.Client) -> None:
    thread = threading.Thread(target=lambda: client.post(GITHUB, json=STATUS))
    thread.start()
    forge.wait_for(lambda: forge.states(SHA) == ["success"])
    thread.join()


def test_waiting_for_what_does_not_come(forge: FakeForge, client: httpx2.Client) -> None:
    with pytest.raises(TimeoutError, match=r"\(nothing\)"):
        forge.wait_for(lambda: bool(forge.posts), timeout=0.01)
    client.post(GITHUB, json=STATUS)
    with pytest.raises(TimeoutError, match=r"state='success'"):
        forge.wait_for(lambda: not forge.posts, timeout=0.01)
