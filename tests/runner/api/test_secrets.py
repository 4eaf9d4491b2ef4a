from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from runner.api.secrets import LARGEST_BODY
from runner.database import audit, secrets
from runner.secret_values import LARGEST
from runner.secrets import secret_context
from runner.tokens import Scope
from tests.support.seeds import Instance

PLACE = "/api/v1/secrets"
KEY = {"repository": "acme/demo", "name": "KEY", "value": "hush-hush"}


@pytest.fixture
def admin(instance: Instance) -> dict[str, str]:
    instance.repository()
    return instance.bearer(Scope.ADMIN)


def test_a_secret_is_set_and_never_told(
    instance: Instance, client: TestClient, admin: dict[str, str]
) -> None:
    made = client.post(PLACE, json=KEY, headers=admin)
    again = client.post(PLACE, json={**KEY, "value": "hush, hush"}, headers=admin)
    listed = client.get(f"{PLACE}?repository=acme/demo", headers=admin)

    assert (made.status_code, again.status_code) == (201, 200)
    assert listed.json() == {"secrets": [again.json()]}
    assert again.json().keys() == {"repository", "name", "set_at", "set_by"}
    assert (again.json()["name"], again.json()["set_at"]) == ("KEY", instance.clock.now())
    assert "hush" not in made.text + again.text + listed.text
    with instance.database.read() as tx:
        deeds = [(deed.what, deed.about) for deed in audit.page(tx)]
    assert deeds == [("secret.set", {"repository": "acme/demo", "secret": "KEY"})] * 2


def test_it_is_kept_sealed_for_its_place(
    instance: Instance, client: TestClient, admin: dict[str, str]
) -> None:
    client.post(PLACE, json=KEY, headers=admin)

    with instance.database.read() as tx:
        sealed = secrets.sealed(tx, 1, ["KEY"])["KEY"]
    assert "hush" not in sealed
    keyring = instance.services.keyring
    assert keyring.decrypt(sealed, secret_context("acme/demo", "KEY")) == "hush-hush"


def test_a_secret_is_removed(instance: Instance, client: TestClient, admin: dict[str, str]) -> None:
    client.post(PLACE, json=KEY, headers=admin)

    assert client.delete(f"{PLACE}/acme%2Fdemo/KEY", headers=admin).status_code == 204
    gone = client.delete(f"{PLACE}/acme%2Fdemo/KEY", headers=admin)
    assert gone.status_code == 404
    assert gone.json()["error"]["message"] == "acme/demo has no secret 'KEY'"
    with instance.database.read() as tx:
        assert [deed.what for deed in audit.page(tx)] == ["secret.delete", "secret.set"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "deploy-key"}, "`deploy-key` is no name of a variable"),
        ({"name": "CI_TOKEN"}, "`CI_TOKEN` is set by Hookline itself"),
        ({"name": "KUBERNETES_X"}, "does not reach a step in a Pod"),
        ({"value": "abc"}, "no line of 4 bytes or more"),
        ({"value": "hush\0hush"}, "holds a NUL character"),
        ({"value": "h" * (LARGEST + 1)}, f"more than {LARGEST} bytes"),
        ({"value": 5}, "'value' is wrong"),
    ],
)
def test_what_cannot_be_a_secret(
    client: TestClient, admin: dict[str, str], changes: dict[str, object], message: str
) -> None:
    answer = client.post(PLACE, json={**KEY, **changes}, headers=admin)

    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]
    assert "hush" not in answer.text


def test_the_largest_value_fits_however_it_is_written(
    client: TestClient, admin: dict[str, str]
) -> None:
    value = "\x01" * (LARGEST - 4) + "hush"
    body = json.dumps({**KEY, "value": value})
    assert len(body) > 5 * LARGEST
    headers = {**admin, "Content-Type": "application/json"}

    assert client.post(PLACE, content=body, headers=headers).status_code == 201
    too_large = client.post(PLACE, content=b" " * (LARGEST_BODY + 1), headers=headers)
    assert too_large.status_code == 413


def test_who_administers_one_repository_sets_secrets_of_it_alone(
    instance: Instance, client: TestClient
) -> None:
    own = instance.repository("a/one")
    instance.repository("a/two")
    admin = instance.bearer(Scope.ADMIN, own)

    for name, status in (("a/one", 201), ("a/two", 404)):
        answer = client.post(PLACE, json={**KEY, "repository": name}, headers=admin)
        assert answer.status_code == status
