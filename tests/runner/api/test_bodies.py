from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Message

from runner.api.bodies import LIMIT
from runner.tokens import Scope
from tests.support.seeds import Instance

PLACE = "/api/v1/tokens"
JSON = {"Content-Type": "application/json"}


def sent(
    instance: Instance, client: TestClient, body: bytes, kind: str = "application/json"
) -> tuple[int, str, str]:
    headers = {**instance.bearer(Scope.ADMIN), "Content-Type": kind}
    answer = client.post(PLACE, content=body, headers=headers)
    error = answer.json().get("error", {"code": "", "message": ""})
    assert set(error) >= {"code", "message"}
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nothing", b"\xff", b"[" * 50_000, b"[]", b"7", b"null", b'"x"'],
)
def test_what_is_no_json_object(instance: Instance, client: TestClient, body: bytes) -> None:
    status, code, _ = sent(instance, client, body)
    assert (status, code) == (400, "bad-json")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"scope": "read"}', "'name' is missing"),
        (b'{"name": "x", "scope": "root"}', "'scope' is wrong"),
        (b'{"name": 7, "scope": "read"}', "'name' is wrong"),
        (b'{"name": NaN, "scope": "read"}', "'name' is wrong"),
        (b'{"name": "", "scope": "read"}', "'name' is wrong"),
        (b'{"name": "x", "scope": "read", "expires_in": "7"}', "'expires_in' is wrong"),
        (b'{"name": "x", "scope": "read", "expires_in": true}', "'expires_in' is wrong"),
        (b'{"name": "x", "scope": "read", "expires_in": 1e99}', "'expires_in' is wrong"),
        (b'{"name": "x", "scope": "read", "colour": 1}', "'colour' is not known"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    instance: Instance, client: TestClient, body: bytes, message: str
) -> None:
    status, code, said = sent(instance, client, body)
    assert (status, code) == (422, "bad-field")
    assert said.startswith(message)


def test_a_field_that_is_nearly_right_gets_a_hint(instance: Instance, client: TestClient) -> None:
    headers = instance.bearer(Scope.ADMIN)
    answer = client.post(PLACE, json={"name": "x", "scope": "read", "expire": 1}, headers=headers)
    assert answer.json()["error"]["cure"] == "did you mean `expires_in`?"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_form_is_no_json(instance: Instance, client: TestClient, kind: str) -> None:
    status, code, _ = sent(instance, client, b"{}", kind)
    assert (status, code) == (415, "content-type")


def test_a_long_body_is_not_read_to_its_end(instance: Instance, client: TestClient) -> None:
    status, code, _ = sent(instance, client, b" " * LIMIT + b"{}")
    assert (status, code) == (413, "too-large")


def test_who_may_not_is_told_before_what_is_wrong_with_the_body(
    instance: Instance, client: TestClient
) -> None:
    assert client.post(PLACE, content=b"{", headers=JSON).status_code == 401
    reader = {**JSON, **instance.bearer(Scope.READ)}
    assert client.post(PLACE, content=b"{", headers=reader).status_code == 403
    run = instance.run(instance.repository())
    answer = client.post(f"/api/v1/runs/{run.id}/rerun", content=b"{", headers=reader)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "'limit' is wrong"),
        ("limit=many", "'limit' is wrong"),
        ("limit=201", "'limit' is wrong"),
        ("status=purple", "'status' is wrong"),
        ("before=%27", "'before' is wrong"),
        ("number=99999999999999999999&repository=x", "'number' is wrong"),
        ("colour=red", "'colour' is not known"),
        ("limit=1&limit=2", "the parameter 'limit' is given twice"),
        ("number=1", "a number alone names no run"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(client: TestClient, query: str, message: str) -> None:
    answer = client.get(f"/api/v1/runs?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad-parameter")
    assert error["message"].startswith(message)


def test_a_parameter_that_is_missing_is_named(client: TestClient) -> None:
    error = client.get("/api/v1/hooks").json()["error"]
    assert error["message"] == "'repository' is missing"
    assert error["cure"] == "there are repository"


def test_a_sender_that_hangs_up_is_no_mistake_of_ours(instance: Instance) -> None:
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PLACE,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    asyncio.run(instance.app()(scope, receive, send))
    assert told[0]["status"] == 400


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    ["name", "scope", "repository", "expires_in", "forge", "clone_url", "mode"]
)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(body=st.dictionaries(_NAMES | st.text(max_size=3), _VALUES, max_size=4))
def test_no_body_breaks_anything(
    instance: Instance, client: TestClient, body: dict[str, object]
) -> None:
    headers = {**instance.bearer(Scope.ADMIN), **JSON}
    content = json.dumps(body).encode()
    for place in ("tokens", "hooks", "repositories", "runs/x/rerun"):
        answer = client.post(f"/api/v1/{place}", content=content, headers=headers)
        assert answer.status_code < 500
