from __future__ import annotations

from starlette.testclient import TestClient

from pipelines.states import RunStatus, State
from runner.api.progress import step_line
from runner.database import deliveries, repositories
from runner.database.runs import remove as remove_run
from tests.support.seeds import NOW, Instance, a_step

MAIN = "refs/heads/main"


def lines(client: TestClient, delivery: str) -> list[str]:
    answer = client.get(f"/deliveries/{delivery}/progress")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text.splitlines()


def test_an_ended_run_is_told_from_plan_to_end(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    steps = [
        a_step("test (python=3.12)", State.FAILURE, ended_at=NOW + 7),
        a_step("lint", ended_at=NOW + 3.2),
        a_step("deploy", State.SKIPPED, reason="not on main", ended_at=NOW + 8),
    ]
    why = "test (python=3.12): exited with 1"
    run = instance.run(repository, RunStatus.FAILURE, steps=steps, reason=why)
    delivery = instance.delivery(instance.hook(repository), (MAIN, run.id, None))
    assert lines(client, delivery) == [
        "run 1 of main: 3 steps",
        "✓ lint 1.2 s",
        "✗ test (python=3.12) exited with 1 5 s",
        "– deploy skipped: not on main",  # noqa: RUF001 - the sign for what did not run
        f"Failure: {why} http://testserver/runs/{run.id}",
    ]


def test_it_goes_on_until_all_runs_have_ended(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    first = instance.run(repository, RunStatus.RUNNING)
    second = instance.run(repository, RunStatus.QUEUED, ref="refs/tags/v1", branch=None)
    delivery = instance.delivery(
        instance.hook(repository),
        (MAIN, first.id, None),
        ("refs/tags/v1", second.id, None),
        ("refs/heads/docs", None, "there is no .ci.yaml\nhere"),
    )
    seen: list[str] = []
    with client.stream("GET", f"/deliveries/{delivery}/progress") as answer:
        parts = answer.iter_lines()
        seen.append(next(parts))
        instance.put(first, a_step("build", State.RUNNING))
        seen.append(next(parts))
        instance.put(first, a_step("build"))
        seen.append(next(parts))
        instance.change(first, status=RunStatus.SUCCESS, ended_at=NOW + 9)
        seen.append(next(parts))
        instance.change(
            second,
            status=RunStatus.ERROR,
            reason="x (and 1 more)",
            warnings=("x", "y"),
            ended_at=NOW,
        )
        seen += parts
    assert seen == [
        "docs: no run: there is no .ci.yaml here",
        "run 1 of main: 1 step",
        "#1 ✓ build 3.4 s",
        f"#1 Success: 1 step in 8 s http://testserver/runs/{first.id}",
        "#2 ✗ x",
        "#2 ✗ y",
        f"#2 Error: x (and 1 more) http://testserver/runs/{second.id}",
    ]


def test_a_run_that_turns_out_to_be_none(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    run = instance.run(repository, RunStatus.QUEUED, started_at=None)
    other = instance.run(repository, RunStatus.QUEUED, started_at=None)
    hook = instance.hook(repository)
    delivery = instance.delivery(hook, (MAIN, run.id, None), (MAIN, other.id, None))
    with client.stream("GET", f"/deliveries/{delivery}/progress") as answer:
        parts = answer.iter_lines()
        with instance.database.write() as tx:
            remove_run(tx, run, "there is no .ci.yaml at 3f1c0de")
        assert next(parts) == "main: no run: there is no .ci.yaml at 3f1c0de"
        instance.change(other, status=RunStatus.CANCELLED)
        assert list(parts) == [f"Cancelled http://testserver/runs/{other.id}"]


def test_a_delivery_that_goes_away_ends_it(instance: Instance, client: TestClient) -> None:
    repository = instance.repository()
    run = instance.run(repository, RunStatus.RUNNING, steps=[a_step("a")])
    delivery = instance.delivery(instance.hook(repository), (MAIN, run.id, None))
    with client.stream("GET", f"/deliveries/{delivery}/progress") as answer:
        parts = answer.iter_lines()
        next(parts)
        with instance.database.write() as tx:
            repositories.remove(tx, repository.id)
            assert deliveries.find(tx, delivery) is None
        list(parts)


def test_how_steps_are_told() -> None:
    assert step_line(a_step("a", State.FAILURE, allow_failure=True)) == (
        "✗ a exited with 1 (allowed to fail) 3.4 s"
    )
    assert step_line(a_step("a", State.ERROR)) == "✗ a error"
    assert step_line(a_step("a", State.CANCELLED)) == "\N{EN DASH} a cancelled"
