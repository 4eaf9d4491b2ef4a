"""A run that has outlived its time can be looked at, but not run again."""

from __future__ import annotations

from starlette.testclient import TestClient

from pipelines.events import Tag
from runner.tokens import Scope
from tests.support.seeds import COMMIT, NOW, Instance

MONTH = 30 * 86_400.0


def test_what_can_still_be_run_again(instance: Instance, client: TestClient) -> None:
    event = Tag(tag="v1", commit=COMMIT)
    run = instance.run(instance.repository(), event=event, wanted=False)
    writer = instance.bearer(Scope.WRITE)
    path = f"/api/v1/runs/{run.id}"
    instance.clock.advance(MONTH + 10 + NOW - instance.clock.now())
    answer = client.post(f"{path}/rerun", json={"mode": "all"}, headers=writer)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "conflict")
    assert error["message"] == (
        "the run has ended too long ago: what its steps began with is removed"
    )
    assert client.get(path, headers=writer).status_code == 200
    assert instance.bell.rung == 0
