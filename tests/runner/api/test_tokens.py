from __future__ import annotations

from starlette.testclient import TestClient

from runner.database import audit
from runner.tokens import Scope
from tests.support.seeds import Instance

PLACE = "/api/v1/tokens"


def test_a_token_works_once_it_is_made(instance: Instance, client: TestClient) -> None:
    own = instance.repository("a/one")
    instance.repository("a/two")
    admin = instance.bearer(Scope.ADMIN)
    wanted = {"name": "ci", "scope": "write", "repository": own.name, "expires_in": 60}
    answer = client.post(PLACE, json=wanted, headers=admin)
    made = answer.json()
    text = made.pop("token")
    assert answer.status_code == 201
    now = instance.clock.now()
    assert made == {
        "id": text[4:12],
        "name": "ci",
        "scope": "write",
        "repository": "a/one",
        "created_at": now,
        "expires_at": now + 60,
        "last_used_at": None,
        "revoked_at": None,
    }
    headers = {"Authorization": f"Bearer {text}"}
    seen = client.get("/api/v1/repositories", headers=headers).json()["repositories"]
    assert [one["name"] for one in seen] == ["a/one"]
    instance.clock.advance(60)
    assert client.get("/api/v1/repositories", headers=headers).status_code == 401


def test_the_list_shows_no_token(instance: Instance, client: TestClient) -> None:
    bound = instance.token(Scope.READ, instance.repository())
    admin = instance.token(Scope.ADMIN)
    answer = client.get(PLACE, headers={"Authorization": f"Bearer {admin}"})
    told = answer.json()["tokens"]
    assert {(one["scope"], one["repository"]) for one in told} == {
        ("read", "acme/demo"),
        ("admin", None),
    }
    assert bound not in answer.text
    assert "digest" not in answer.text


def test_a_revoked_token_is_revoked_for_good(instance: Instance, client: TestClient) -> None:
    text = instance.token(Scope.READ)
    admin = instance.bearer(Scope.ADMIN)
    place = f"{PLACE}/{text[4:12]}"
    assert client.delete(place, headers=admin).status_code == 204
    assert client.delete(place, headers=admin).status_code == 204
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/runs", headers=headers).status_code == 401
    with instance.database.read() as tx:
        deeds = [deed.what for deed in audit.page(tx)]
    assert deeds == ["token.revoke"]


def test_a_token_is_bound_to_a_repository_that_there_is(
    instance: Instance, client: TestClient
) -> None:
    admin = instance.bearer(Scope.ADMIN)
    wanted = {"name": "ci", "scope": "read", "repository": "no/such"}
    assert client.post(PLACE, json=wanted, headers=admin).status_code == 404
