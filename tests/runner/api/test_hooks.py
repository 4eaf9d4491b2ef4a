from __future__ import annotations

import base64
import hashlib
import hmac

from starlette.testclient import TestClient

from runner.database import audit, hooks
from runner.secrets import hook_context
from runner.tokens import Scope
from tests.support.seeds import Instance

PLACE = "/api/v1/hooks"


def test_a_hook_takes_what_its_secret_signed(instance: Instance, client: TestClient) -> None:
    instance.repository(forge="git")
    admin = instance.bearer(Scope.ADMIN)
    answer = client.post(PLACE, json={"repository": "acme/demo"}, headers=admin)
    made = answer.json()
    assert answer.status_code == 201
    assert made["url"] == f"http://testserver/hooks/git/{made['id']}"
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32

    body = b'{"type": "push", "changes": []}'
    stamp = str(int(instance.clock.now()))
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    mac = hmac.new(key, f"m1.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "m1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    assert client.post(made["url"], content=body, headers=headers).status_code == 202
    assert client.post(made["url"], content=body + b" ", headers=headers).status_code == 401


def test_the_secret_is_told_once_and_kept_sealed(instance: Instance, client: TestClient) -> None:
    instance.repository()
    admin = instance.bearer(Scope.ADMIN)
    made = client.post(PLACE, json={"repository": "acme/demo"}, headers=admin).json()
    secret = made.pop("secret")
    listed = client.get(f"{PLACE}?repository=acme/demo", headers=admin)
    assert listed.json() == {"hooks": [made]}
    with instance.database.read() as tx:
        stored = hooks.find(tx, made["id"])
        deeds = [(deed.what, deed.about) for deed in audit.page(tx)]
    assert stored is not None
    (sealed,) = stored.secrets
    assert instance.services.keyring.decrypt(sealed, hook_context(made["id"])) == secret
    assert deeds == [("hook.create", {"hook": made["id"], "repository": "acme/demo"})]


def test_a_hook_is_deleted(instance: Instance, client: TestClient) -> None:
    hook = instance.hook(instance.repository())
    admin = instance.bearer(Scope.ADMIN)
    assert client.delete(f"{PLACE}/{hook}", headers=admin).status_code == 204
    assert client.delete(f"{PLACE}/{hook}", headers=admin).status_code == 404


def test_who_administers_one_repository_makes_hooks_for_it_alone(
    instance: Instance, client: TestClient
) -> None:
    own = instance.repository("a/one")
    instance.repository("a/two")
    admin = instance.bearer(Scope.ADMIN, own)
    assert client.post(PLACE, json={"repository": "a/one"}, headers=admin).status_code == 201
    assert client.post(PLACE, json={"repository": "a/two"}, headers=admin).status_code == 404
