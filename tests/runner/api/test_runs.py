from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from pipelines.events import PullRequest, Tag
from pipelines.states import RunStatus, State
from runner.api.events import Pace
from runner.database import commands, repositories, runs
from runner.database.words import CommandKind, Visibility
from runner.tokens import Scope
from tests.support.instances import sse
from tests.support.seeds import COMMIT, NOW, Instance, a_step

PLACE = "/api/v1/runs"


def listed(client: TestClient, query: str = "", headers: dict[str, str] | None = None) -> list[int]:
    told = client.get(f"{PLACE}?{query}", headers=headers).json()["runs"]
    return [run["number"] for run in told]


def test_a_run_is_told_in_full(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    digest, files = instance.snapshot({"out/report.xml": b"<x/>"})
    step = a_step("test (a=b/c)", outputs={"passed": "7"}, snapshot=digest, artifacts=files)
    run = instance.run(repository, steps=[a_step("lint"), step], warnings=("careful",))
    told = client.get(f"{PLACE}/{run.id}").json()
    lint, test = told.pop("steps")
    assert told == {
        "id": run.id,
        "number": 1,
        "repository": "acme/demo",
        "url": f"http://testserver/runs/{run.id}",
        "event": "push",
        "trust": "trusted",
        "ref": "refs/heads/main",
        "branch": "main",
        "commit": COMMIT,
        "message": "Fix it",
        "author": "Ada",
        "status": "success",
        "reason": "",
        "attempt": 1,
        "created_at": NOW,
        "started_at": NOW + 1,
        "ended_at": NOW + 9,
        "errors": [],
        "warnings": ["careful"],
        "asked": [],
    }
    assert lint["name"] == "lint"
    own = f"{PLACE}/{run.id}/steps/test%20%28a%3Db%2Fc%29"
    artifact: dict[str, Any] = {
        "path": "out/report.xml",
        "size": 4,
        "digest": files[0].digest,
        "url": f"{own}/artifacts/out/report.xml",
    }
    result = {
        "outcome": "success",
        "cause": "",
        "reason": "",
        "exit_code": 0,
        "started_at": NOW + 2,
        "ended_at": NOW + 5.4,
        "outputs": {"passed": "7"},
        "warnings": [],
    }
    attempt = {**artifact, "url": artifact["url"] + "?attempt=1"}
    assert test == {
        "name": "test (a=b/c)",
        "kind": "normal",
        "state": "success",
        "attempt": 1,
        "allow_failure": False,
        "needs": [],
        "services": [],
        **result,
        "artifacts": [artifact],
        "log": f"{own}/log",
        "attempts": [
            {"number": 1, **result, "artifacts": [attempt], "log": f"{own}/log?attempt=1"}
        ],
    }
    assert client.get(artifact["url"]).content == b"<x/>"
    assert client.get(attempt["url"]).content == b"<x/>"


def test_a_run_that_could_not_begin_has_errors_and_no_warnings(
    instance: Instance, client: TestClient
) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    many = instance.run(repository, RunStatus.ERROR, reason="a (and 1 more)", warnings=("a", "b"))
    one = instance.run(repository, RunStatus.ERROR, reason="git is away")
    told = client.get(f"{PLACE}/{many.id}").json()
    assert (told["errors"], told["warnings"]) == (["a", "b"], [])
    assert client.get(f"{PLACE}/{one.id}").json()["errors"] == ["git is away"]


def test_runs_are_found_by_what_they_are_of(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    instance.run(repository, RunStatus.FAILURE)
    instance.run(repository, branch="topic")
    newest = instance.run(repository, RunStatus.RUNNING)
    assert listed(client) == [3, 2, 1]
    assert listed(client, "repository=acme/demo") == [3, 2, 1]
    assert listed(client, "branch=main") == [3, 1]
    assert listed(client, "status=failure") == [1]
    assert listed(client, "limit=1") == [3]
    assert listed(client, f"before={newest.id}") == [2, 1]
    assert listed(client, "repository=acme/demo&number=2") == [2]
    assert listed(client, "repository=acme/demo&number=2&branch=main") == []
    assert listed(client, "repository=acme/demo&number=2&status=failure") == []
    assert listed(client, f"repository=acme/demo&number=3&before={newest.id}") == []
    assert listed(client, "repository=acme/demo&number=9") == []
    assert client.get(f"{PLACE}?repository=no/such").status_code == 404


def test_the_list_mixes_all_that_one_may_see_by_age(instance: Instance, client: TestClient) -> None:
    public = instance.repository("a/public", Visibility.PUBLIC)
    own = instance.repository("b/own")
    hidden = instance.repository("c/hidden")
    ids = {}
    for number, repository in enumerate((own, public, hidden, own, public)):
        run = instance.run(repository, id=f"{number:026}")
        ids[run.id] = repository.name

    def seen(headers: dict[str, str], query: str = "") -> list[str]:
        told = client.get(f"{PLACE}?{query}", headers=headers).json()["runs"]
        assert all(ids[run["id"]] == run["repository"] for run in told)
        return [run["id"][-1] for run in told]

    assert seen({}) == ["4", "1"]
    reader = instance.bearer(Scope.READ, own)
    assert seen(reader) == ["4", "3", "1", "0"]
    assert seen(reader, "limit=2") == ["4", "3"]
    assert seen(reader, f"limit=2&before={3:026}") == ["1", "0"]
    assert seen(instance.bearer(Scope.READ)) == ["4", "3", "2", "1", "0"]


def test_other_events(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    tag = instance.run(repository, event=Tag(tag="v1", commit=COMMIT))
    pull = PullRequest(
        number=7,
        action="opened",
        branch="main",
        source_branch="fix",
        commit=COMMIT,
        ref="refs/pull/7/head",
    )
    fork = instance.run(repository, event=pull)
    told = client.get(f"{PLACE}/{tag.id}").json()
    assert (told["event"], told["branch"], told["ref"]) == ("tag", None, "refs/tags/v1")
    told = client.get(f"{PLACE}/{fork.id}").json()
    assert (told["event"], told["trust"]) == ("pull_request", "untrusted")


def test_a_rerun_is_asked_for(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(), RunStatus.FAILURE, steps=[a_step("a", State.FAILURE)])
    writer = instance.bearer(Scope.WRITE, name="grace")
    answer = client.post(f"{PLACE}/{run.id}/rerun", json={"mode": "failed"}, headers=writer)
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["asked"]) == (run.id, ["rerun"])
    assert instance.bell.rung == 1
    with instance.database.read() as tx:
        (command,) = commands.pending(tx, run.id)
        stored = runs.find(tx, run.id)
    assert (command.kind, command.payload, command.by) == (
        CommandKind.RERUN,
        {"mode": "failed"},
        "grace",
    )
    assert stored is not None
    assert stored.wanted


def test_a_cancel_is_asked_for_once(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(), RunStatus.RUNNING)
    writer = instance.bearer(Scope.WRITE)
    for _ in range(2):
        answer = client.post(f"{PLACE}/{run.id}/cancel", headers=writer)
        assert (answer.status_code, answer.json()["asked"]) == (202, ["cancel"])
    with instance.database.read() as tx:
        assert [command.kind for command in commands.pending(tx, run.id)] == [CommandKind.CANCEL]


@pytest.mark.parametrize(
    ("status", "states", "what", "message"),
    [
        (RunStatus.SUCCESS, [], "cancel", "the run has ended (success)"),
        (RunStatus.RUNNING, [], "all", "the run has not ended (running)"),
        (RunStatus.QUEUED, [], "failed", "the run has not ended (queued)"),
        (RunStatus.SUCCESS, [State.SUCCESS, State.SKIPPED], "failed", "no step failed"),
        (RunStatus.SUCCESS, [], "failed", "no step failed"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    instance: Instance,
    client: TestClient,
    status: RunStatus,
    states: list[State],
    what: str,
    message: str,
) -> None:
    steps = [a_step(f"s{place}", state) for place, state in enumerate(states)]
    run = instance.run(instance.repository(), status, steps=steps)
    writer = instance.bearer(Scope.WRITE)
    if what == "cancel":
        answer = client.post(f"{PLACE}/{run.id}/cancel", headers=writer)
    else:
        answer = client.post(f"{PLACE}/{run.id}/rerun", json={"mode": what}, headers=writer)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (409, "conflict", message)
    assert instance.bell.rung == 0


@pytest.mark.parametrize("state", [State.FAILURE, State.ERROR, State.CANCELLED, State.BLOCKED])
def test_what_can_be_run_again_as_failed(
    instance: Instance, client: TestClient, state: State
) -> None:
    run = instance.run(instance.repository(), RunStatus.FAILURE, steps=[a_step("a", state)])
    answer = client.post(
        f"{PLACE}/{run.id}/rerun", json={"mode": "failed"}, headers=instance.bearer(Scope.WRITE)
    )
    assert answer.status_code == 202


def test_a_run_without_a_plan_can_be_run_again(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(), RunStatus.ERROR, reason="git is away")
    writer = instance.bearer(Scope.WRITE)
    path = f"{PLACE}/{run.id}/rerun"
    assert client.post(path, json={"mode": "failed"}, headers=writer).status_code == 202
    assert client.post(path, json={"mode": "all"}, headers=writer).status_code == 409


def test_the_same_key_asks_once(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository())
    headers = {**instance.bearer(Scope.WRITE), "Idempotency-Key": "one"}
    path = f"{PLACE}/{run.id}/rerun"
    for _ in range(3):
        assert client.post(path, json={"mode": "all"}, headers=headers).status_code == 202
    with instance.database.write() as tx:
        (command,) = commands.of(tx, run.id)
        commands.done(tx, command.id, NOW)
    assert client.post(path, json={"mode": "all"}, headers=headers).status_code == 202
    with instance.database.read() as tx:
        assert commands.pending(tx, run.id) == []
    long = {**headers, "Idempotency-Key": "x" * 256}
    assert client.post(path, json={"mode": "all"}, headers=long).status_code == 400


def stream(client: TestClient, run: str) -> list[tuple[str, str, Any]]:
    return sse(client.get(f"{PLACE}/{run}/stream").text)


def test_the_stream_of_an_ended_run_ends(instance: Instance, client: TestClient) -> None:
    run = instance.run(instance.repository(visibility=Visibility.PUBLIC), steps=[a_step("a")])
    (name, version, told), end = stream(client, run.id)
    assert (name, told) == ("run", client.get(f"{PLACE}/{run.id}").json())
    assert len(version) == 20
    assert end == ("end", "", {})
    answer = client.get(f"{PLACE}/{run.id}/stream")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.head(f"{PLACE}/{run.id}/stream").status_code == 200


def test_the_stream_tells_each_change(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository, RunStatus.QUEUED)
    seen: list[str] = []
    with client.stream("GET", f"{PLACE}/{run.id}/stream") as answer:
        text = ""
        for part in answer.iter_text():
            text += part
            *whole, text = text.split("\n\n")
            for name, _, told in sse("\n\n".join(whole)):
                if name != "comment":
                    seen.append(told.get("status", name))
                if name == "run" and told["status"] == "queued":
                    instance.change(run, status=RunStatus.RUNNING)
                elif name == "run" and told["status"] == "running":
                    instance.change(run, status=RunStatus.FAILURE, ended_at=NOW)
    assert seen == ["queued", "running", "failure", "end"]


def test_the_stream_does_not_end_while_something_is_asked(
    instance: Instance, client: TestClient
) -> None:
    run = instance.run(instance.repository(visibility=Visibility.PUBLIC))
    with instance.database.write() as tx:
        command = commands.add(tx, run.id, CommandKind.RERUN, {"mode": "all"}, "ada", NOW)
    with client.stream("GET", f"{PLACE}/{run.id}/stream") as answer:
        parts = answer.iter_text()
        first = next(parts)
        assert '"asked":["rerun"]' in first
        with instance.database.write() as tx:
            commands.done(tx, command.id, NOW)
        rest = "".join(parts)
    assert '"asked":[]' in rest
    assert rest.endswith("event: end\ndata: {}\n\n")


def test_a_quiet_stream_gives_signs_of_life(instance: Instance) -> None:
    run = instance.run(instance.repository(visibility=Visibility.PUBLIC), RunStatus.RUNNING)
    pace = Pace(run=0.001, log=0.001, heartbeat=0.003)
    with (
        TestClient(instance.app(pace)) as client,
        client.stream("GET", f"{PLACE}/{run.id}/stream") as answer,
    ):
        parts = answer.iter_text()
        next(parts)
        assert next(parts) == ": still here\n\n"
        assert next(parts) == ": still here\n\n"
        instance.change(run, status=RunStatus.CANCELLED)
        assert "end" in "".join(parts)


def test_the_stream_of_a_run_that_goes_away_ends(instance: Instance, client: TestClient) -> None:
    repository = instance.repository(visibility=Visibility.PUBLIC)
    run = instance.run(repository, RunStatus.RUNNING)
    with client.stream("GET", f"{PLACE}/{run.id}/stream") as answer:
        parts = answer.iter_text()
        next(parts)
        with instance.database.write() as tx:
            repositories.remove(tx, repository.id)
        assert "".join(parts).endswith("event: end\ndata: {}\n\n")
