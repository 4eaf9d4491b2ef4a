"""A run that has outlived its time can be looked at, but not run again."""

from __future__ import annotations

from starlette.testclient import TestClient

from pipelines.events import Tag
from pipelines.states import RunStatus
from runner.tokens import Scope
from tests.support.seeds import COMMIT, NOW, Instance

MONTH = 30 * 86_400.0


def test_what_can_still_be_run_again(instance: Instance, client: TestClient) -> None:
    event = Tag(tag="v1", commit=COMMIT)
    run = instance.run(instance.repository(), event=event, source="old")
    writer = instance.bearer(Scope.WRITE)
    path = f"/api/v1/runs/{run.id}"
    instance.clock.advance(MONTH + 10 + NOW - instance.clock.now())
    answer = client.post(f"{path}/rerun", json={"mode": "all"}, headers=writer)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (410, "gone")
    assert error["message"] == (
        "the run has ended too long ago: what its steps began with is removed"
    )
    assert error["cure"] == "push the commit again to have a new run of it"
    assert client.get(path, headers=writer).status_code == 200
    assert instance.bell.rung == 0


def test_what_began_with_nothing_can_be_run_again_longer(
    instance: Instance, client: TestClient
) -> None:
    repository = instance.repository()
    event = Tag(tag="v1", commit=COMMIT)
    run = instance.run(repository, RunStatus.ERROR, event=event, reason="could not be fetched")
    writer = instance.bearer(Scope.WRITE)
    instance.clock.advance(MONTH + 10 + NOW - instance.clock.now())
    path = f"/api/v1/runs/{run.id}/rerun"
    assert client.post(path, json={"mode": "all"}, headers=writer).status_code == 202
    late = instance.run(repository, RunStatus.ERROR, event=event, reason="could not be fetched")
    instance.clock.advance(2 * MONTH)
    path = f"/api/v1/runs/{late.id}/rerun"
    assert client.post(path, json={"mode": "all"}, headers=writer).status_code == 410
