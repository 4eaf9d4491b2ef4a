from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from runner.api.headers import POLICY
from runner.database.words import Visibility
from tests.support.seeds import Instance

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1", "/api/v1/runs/", "/api/v2/runs", "/static/no"]
)
def test_an_unknown_address_is_answered_in_the_one_form(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v1/repositories", "GET, HEAD, POST"),
        ("PUT", "/api/v1/repositories/acme/demo", "DELETE, GET, HEAD"),
        ("GET", "/api/v1/runs/x/cancel", "POST"),
        ("POST", "/api/v1/runs/x/steps/a/log", "GET, HEAD"),
        ("POST", "/static/style.css", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"]["code"] == "wrong-method"


@pytest.mark.parametrize(
    "path", ["/", "/login", "/nope", "/api/v1/runs", "/healthz", "/static/run.js", "/hooks/git/x"]
)
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_the_policy_lets_nothing_in() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY


def test_people_get_a_page(client: TestClient) -> None:
    answer = client.get("/runs/nothing", headers=HTML)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such run" in answer.text
    assert "/login?next=%2Fruns%2Fnothing" in answer.text
    assert client.get("/api/v1/runs/nothing", headers=HTML).json()["error"]["code"] == "not-found"


def test_a_database_that_is_away(instance: Instance, client: TestClient) -> None:
    assert client.get("/readyz").json() == {"status": "ok"}
    assert client.get("/healthz").json() == {"status": "ok"}
    from runner.database.errors import DatabaseUnavailable

    def away() -> None:
        message = "postgresql://user:password@host is away"
        raise DatabaseUnavailable(message)

    instance.database.read = away  # type: ignore[method-assign,assignment]
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "password" not in answer.text
    assert client.get("/healthz").status_code == 200
    assert client.get("/api/v1/runs").status_code == 503


def test_a_mistake_of_ours_tells_nothing_of_itself(instance: Instance) -> None:
    def broken(visitor: object) -> None:
        message = "secret detail"
        raise RuntimeError(message)

    instance.database.read = broken  # type: ignore[method-assign,assignment]
    with TestClient(instance.app(), raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/repositories")
        page = client.get("/", headers=HTML)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert answer.headers["content-security-policy"] == POLICY
    assert "secret" not in answer.text + page.text
    assert page.headers["content-security-policy"] == POLICY


def test_no_answer_allows_other_origins(instance: Instance, client: TestClient) -> None:
    instance.run(instance.repository(visibility=Visibility.PUBLIC))
    answer = client.get("/api/v1/runs", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/api/v1/runs").status_code == 405
