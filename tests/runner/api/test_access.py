from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from runner.api import sessions
from runner.database import repositories, tokens
from runner.database.words import Visibility
from runner.tokens import Scope, Token, id_of
from tests.support.seeds import NOW, Instance, open_instance

COOKIE = "hookline"


def stored(instance: Instance, text: str) -> Token:
    with instance.database.read() as tx:
        token = tokens.find(tx, id_of(text) or "")
    assert token is not None
    return token


def log_in(client: TestClient, text: str, **headers: str) -> int:
    origin = {"Origin": "http://testserver", **headers}
    return client.post("/login", data={"token": text}, headers=origin).status_code


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer hkl_nothing", "Basic YTpi", "hkl_x", "Bearer " + "a" * 5000, "Bearer ü"],
)
def test_a_token_that_is_none_is_refused_even_where_none_is_needed(
    client: TestClient, header: str
) -> None:
    answer = client.get("/api/v1/runs", headers={b"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_an_expired_and_a_revoked_token_are_refused(instance: Instance, client: TestClient) -> None:
    short = instance.bearer(Scope.READ, expires_at=instance.clock.now() + 5)
    assert client.get("/api/v1/runs", headers=short).status_code == 200
    instance.clock.advance(5)
    assert client.get("/api/v1/runs", headers=short).status_code == 401
    text = instance.token(Scope.READ)
    with instance.database.write() as tx:
        tokens.revoke(tx, id_of(text) or "", NOW)
    headers = {"Authorization": f"bearer {text}"}
    assert client.get("/api/v1/runs", headers=headers).status_code == 401


def test_the_use_of_a_token_is_written_down_once_a_minute(
    instance: Instance, client: TestClient
) -> None:
    text = instance.token(Scope.READ)
    headers = {"Authorization": f"Bearer {text}"}
    first = instance.clock.now()
    client.get("/api/v1/runs", headers=headers)
    instance.clock.advance(30)
    client.get("/api/v1/runs", headers=headers)
    assert stored(instance, text).last_used_at == first
    instance.clock.advance(31)
    client.get("/api/v1/runs", headers=headers)
    assert stored(instance, text).last_used_at == first + 61


def test_a_session_opens_what_its_token_opens(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    assert client.get(f"/runs/{run.id}").status_code == 404
    assert log_in(client, instance.token(Scope.READ)) == 303
    assert client.get(f"/runs/{run.id}").status_code == 200
    assert client.get(f"/api/v1/runs/{run.id}").status_code == 200


def test_the_cookie_is_out_of_reach_and_holds_no_token(
    instance: Instance, client: TestClient
) -> None:
    text = instance.token(Scope.READ)
    origin = {"Origin": "http://testserver"}
    answer = client.post("/login", data={"token": f" {text} "}, headers=origin)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert text not in cookie
    assert (id_of(text) or text) not in cookie


def test_behind_https_the_cookie_stays_with_its_host(instance: Instance) -> None:
    services = instance.services
    path = f"sqlite:///{services.settings.data}/hookline.db"
    other = open_instance(services.settings.data, path, "https://ci.example.com")
    with TestClient(other.app(), base_url="https://ci.example.com") as client:
        origin = {"Origin": "https://ci.example.com"}
        text = other.token(Scope.READ)
        form = {"token": text}
        answer = client.post("/login", data=form, headers=origin, follow_redirects=False)
        assert answer.headers["set-cookie"].startswith("__Host-hookline=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "ada" in client.get("/").text
    other.database.close()


@pytest.mark.parametrize("what", ["revoked", "session ended", "token expired", "other key", "junk"])
def test_a_session_ends(instance: Instance, client: TestClient, what: str) -> None:
    run = instance.run(instance.repository())
    now = instance.clock.now()
    text = instance.token(Scope.READ, expires_at=now + 10 * 86400)
    log_in(client, text)
    match what:
        case "revoked":
            with instance.database.write() as tx:
                tokens.revoke(tx, id_of(text) or "", NOW)
        case "session ended":
            instance.clock.advance(sessions.SECONDS)
        case "token expired":
            instance.clock.advance(10 * 86400)
        case "other key":
            client.cookies.clear()
            client.cookies.set(COOKIE, "v1.00000000.AAAA")
        case "junk":
            client.cookies.clear()
            client.cookies.set(COOKIE, "a" * 2000)
        case _:
            pytest.fail(what)
    answer = client.get(f"/runs/{run.id}")
    assert answer.status_code == 404


def test_a_token_in_a_header_wins_over_the_session(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    log_in(client, instance.token(Scope.READ))
    stranger = instance.bearer(Scope.READ, instance.repository("other/one"))
    assert client.get(f"/api/v1/runs/{run.id}", headers=stranger).status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://testserver", 202),
        ("http://ci.example.com", 202),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://testserver.evil.example", 403),
    ],
)
def test_with_a_session_only_our_own_pages_may_change_things(
    instance: Instance, origin: str, status: int
) -> None:
    services = instance.services
    settings = services.settings.model_copy(update={"url": "http://ci.example.com"})
    object.__setattr__(services, "settings", settings)
    run = instance.run(instance.repository())
    with TestClient(instance.app(), follow_redirects=False) as client:
        log_in(client, instance.token(Scope.WRITE))
        headers = {"Origin": origin} if origin else {}
        path = f"/api/v1/runs/{run.id}/rerun"
        answer = client.post(path, json={"mode": "all"}, headers=headers)
    assert answer.status_code == status
    assert instance.bell.rung == (1 if status == 202 else 0)
    if status == 403:
        assert answer.json()["error"]["code"] == "foreign-origin"


def test_with_a_token_the_origin_does_not_matter(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    headers = {**instance.bearer(Scope.WRITE), "Origin": "http://elsewhere.example"}
    answer = client.post(f"/api/v1/runs/{run.id}/rerun", json={"mode": "all"}, headers=headers)
    assert answer.status_code == 202


def test_a_session_cannot_be_begun_or_ended_from_elsewhere(
    instance: Instance, client: TestClient
) -> None:
    text = instance.token(Scope.READ)
    assert log_in(client, text, Origin="http://evil.example") == 403
    assert client.post("/logout", headers={"Origin": "http://evil.example"}).status_code == 403


def test_logging_out_ends_the_session(instance: Instance, client: TestClient) -> None:
    log_in(client, instance.token(Scope.READ, name="ada's laptop"))
    assert "ada&#39;s laptop" in client.get("/").text
    answer = client.post("/logout", headers={"Origin": "http://testserver"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Log in" in client.get("/").text


@pytest.mark.parametrize("name", ["a/b/c/d/e", "..", "a//b", "a b", "a" * 300, "%00", "%ff"])
def test_odd_names_are_names_of_nothing(client: TestClient, name: str) -> None:
    assert client.get(f"/api/v1/repositories/{name}").status_code == 404


@pytest.mark.parametrize("name", ["%00", "a" * 99, "%F0%9F%98%80", "%ff", "'"])
def test_odd_ids_are_ids_of_nothing(instance: Instance, client: TestClient, name: str) -> None:
    admin = instance.bearer(Scope.ADMIN)
    for kind in ("runs", "deliveries"):
        assert client.get(f"/api/v1/{kind}/{name}", headers=admin).status_code == 404
    for kind in ("hooks", "tokens"):
        assert client.delete(f"/api/v1/{kind}/{name}", headers=admin).status_code == 404
    assert client.get(f"/deliveries/{name}/progress").status_code == 404


def test_what_becomes_private_is_gone_for_strangers(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository)
    assert client.get(f"/api/v1/runs/{run.id}").status_code == 200
    with instance.database.write() as tx:
        repositories.change(tx, repository.id, visibility=Visibility.PRIVATE)
    assert client.get(f"/api/v1/runs/{run.id}").status_code == 404
