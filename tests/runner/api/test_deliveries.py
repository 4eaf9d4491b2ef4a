from __future__ import annotations

from starlette.testclient import TestClient

from runner.tokens import Scope
from tests.support.seeds import COMMIT, NOW, Instance


def test_a_delivery_tells_what_became_of_it(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    run = instance.run(repository)
    hook = instance.hook(repository)
    why = "there is no .ci.yaml"
    delivery = instance.delivery(
        hook, ("refs/heads/main", run.id, None), ("refs/tags/v1", None, why)
    )
    told = client.get(f"/api/v1/deliveries/{delivery}", headers=instance.bearer(Scope.READ)).json()
    assert told.pop("forge_id")
    assert told == {
        "id": delivery,
        "hook": hook,
        "event": "push",
        "received_at": NOW,
        "outcome": "accepted",
        "reason": None,
        "changes": [
            {"ref": "refs/heads/main", "commit": COMMIT, "run": run.id, "reason": None},
            {"ref": "refs/tags/v1", "commit": COMMIT, "run": None, "reason": why},
        ],
    }


def test_the_list_is_bounded(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    hook = instance.hook(repository)
    made = {instance.delivery(hook) for _ in range(3)}
    reader = instance.bearer(Scope.READ)
    place = "/api/v1/deliveries?repository=acme/demo"
    everything = client.get(place, headers=reader).json()["deliveries"]
    assert {one["id"] for one in everything} == made
    some = client.get(f"{place}&limit=2", headers=reader).json()["deliveries"]
    assert some == everything[:2]
