from __future__ import annotations

from pipelines.states import Outcome, State
from runner.api.run_view import RunView, reload
from runner.database.attempts import Attempt
from runner.database.runs import Run
from runner.database.steps import Step
from runner.web.panels import LINES, LINES_ON_PAGE, Panel, Shown, panels
from tests.support.seeds import NOW, Instance, a_step


def shown(instance: Instance, *steps: Step) -> tuple[Run, RunView]:
    run = instance.run(instance.repository(), steps=steps)
    return run, viewed(instance, run)


def viewed(instance: Instance, run: Run) -> RunView:
    with instance.database.read() as tx:
        view = reload(tx, run.id)
    assert view is not None
    return view


def by_name(instance: Instance, view: RunView) -> dict[str, Panel]:
    return {panel.step.name: panel for panel in panels(view, instance.services.logbook)}


def test_what_failed_and_what_runs_is_open(instance: Instance) -> None:
    _, view = shown(instance, *(a_step(state, state) for state in State))
    found = by_name(instance, view)
    assert [name for name, panel in found.items() if panel.open] == ["running", "failure", "error"]


def test_the_end_of_a_log_is_shown(instance: Instance) -> None:
    run, view = shown(instance, a_step("a"))
    instance.log(run, "a", *(f"line {number}" for number in range(1, LINES + 8)), at=NOW + 2, by=1)
    log = by_name(instance, view)["a"].log
    assert log is not None
    assert (len(log.rows), log.cut, log.follow) == (LINES, 7, "")
    first = log.rows[0]
    assert (first.number, first.anchor, first.offset) == (8, "step-0-L8", "0:07")
    assert first.html == "line 8"
    assert log.address == f"/api/v1/runs/{run.id}/steps/a/log?attempt=1"


def test_a_log_that_grows_can_be_followed(instance: Instance) -> None:
    run, view = shown(instance, a_step("a (b/c)", State.RUNNING), a_step("b", State.PENDING))
    found = by_name(instance, view)
    log = found["a (b/c)"].log
    assert log is not None
    assert log.follow == f"/runs/{run.id}/steps/a%20%28b%2Fc%29/lines?attempt=1"
    assert (log.rows, log.cut) == ((), 0)
    assert found["b"].log is None


def test_the_page_has_an_end_and_what_failed_comes_first(instance: Instance) -> None:
    count = LINES_ON_PAGE // LINES + 2
    steps = [a_step(f"s{number}") for number in range(count - 2)]
    steps += [a_step("run", State.RUNNING), a_step("fail", State.FAILURE)]
    run, view = shown(instance, *steps)
    for step in steps:
        instance.log(run, step.name, *("x" for _ in range(LINES)))
    found = by_name(instance, view)
    left_out = [name for name, panel in found.items() if panel.log and panel.log.left_out]
    assert left_out == [f"s{count - 4}", f"s{count - 3}"]
    log = found["s0"].log
    assert isinstance(log, Shown)
    assert len(log.rows) == LINES


def test_the_logs_of_services_once_they_are_kept(instance: Instance) -> None:
    run, view = shown(
        instance,
        a_step("a", services=("db", "queue")),
        a_step("b", State.RUNNING, services=("db",)),
        a_step("c", State.PENDING, services=("db",)),
    )
    found = by_name(instance, view)
    told = {name: [one.name for one in panel.services] for name, panel in found.items()}
    assert told == {"a": ["db", "queue"], "b": [], "c": []}
    address = f"/api/v1/runs/{run.id}/steps/a/log?attempt=1&service=db"
    assert found["a"].services[0].address == address


def test_earlier_attempts_and_artifacts(instance: Instance) -> None:
    digest, files = instance.snapshot({"out/a b.txt": b"x" * 2000})
    step = a_step("a", attempt=2, snapshot=digest, artifacts=files)
    run, _ = shown(instance, step)
    first = Attempt(
        run_id="", step="a", number=1, outcome=Outcome.ERROR, reason="the node was lost"
    )
    instance.attempt(run, first)
    panel = by_name(instance, viewed(instance, run))["a"]
    assert [one.attempt.number for one in panel.earlier] == [1]
    assert panel.earlier[0].address.endswith("/log?attempt=1")
    (file,) = panel.files
    assert (file.path, file.size) == ("out/a b.txt", 2000)
    assert file.address.endswith("/steps/a/artifacts/out/a%20b.txt?attempt=2")
