"""`hookline logs`: once, or as they grow; several steps, several attempts."""

from __future__ import annotations

import json

import pytest

from tests.runner.cli.answers import a_run, a_step
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import END, ScriptedApi, event

STAMP = "2025-06-15T15:06:40.000Z"


def log(api: ScriptedApi, step: str, *lines: str, attempt: int = 1) -> None:
    """Let the server have a log."""
    text = "".join(f"{STAMP} {line}\n" for line in lines)
    api.text(f"/runs/01run/steps/{step}/log?attempt={attempt}&timestamps=true", text)


def live(api: ScriptedApi, step: str, *lines: str, attempt: int = 1) -> None:
    """Let the server have a log that is written just now."""
    events = [
        event("line", {"number": number, "at": 1_750_000_000.0, "text": line}, str(number))
        for number, line in enumerate(lines, start=1)
    ]
    api.stream(f"/runs/01run/steps/{step}/log/stream?attempt={attempt}", *events, END)


def test_a_step(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run(steps=[a_step("lint", tries=2)]))
    log(api, "lint", "one", "\x1b[31mtwo\x1b[2J", attempt=2)
    log(api, "lint", "first")
    assert ask("logs", "01run", "lint").output == "one\ntwo\n"
    assert ask("logs", "01run", "lint", "--timestamps").output == f"{STAMP} one\n{STAMP} two\n"
    assert ask("logs", "01run", "lint", "--attempt", "1").output == "first\n"
    records = [
        json.loads(line) for line in ask("logs", "01run", "lint", "--json").output.splitlines()
    ]
    assert records[0] == {"step": "lint", "attempt": 2, "number": 1, "at": STAMP, "line": "one"}
    assert records[1]["line"] == "\x1b[31mtwo\x1b[2J"


def test_a_service_of_a_step(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run(steps=[a_step("test", services=["db", "queue"])]))
    place = "/runs/01run/steps/test/log?attempt=1&timestamps=true&service=db"
    api.text(place, f"{STAMP} ready\n{STAMP} bye\n")
    assert ask("logs", "01run", "test", "--service", "db").output == "ready\nbye\n"
    told = ask("logs", "01run", "test", "--service", "web")
    words = "the step 'test' has no service 'web'; it has db, queue"
    assert (told.exit_code, words in told.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--service", "db"], "--service needs a STEP"),
        (["test", "--service", "db", "-f"], "--service cannot be followed"),
    ],
)
def test_a_service_needs_a_step_that_has_ended(ask: Invoke, options: list[str], words: str) -> None:
    told = ask("logs", "01run", *options)
    assert (told.exit_code, words in told.stderr) == (2, True)


def test_the_steps_that_failed_or_all(ask: Invoke, api: ScriptedApi) -> None:
    good = [a_step("a"), a_step("b"), a_step("c", "skipped", tries=0)]
    bad = [a_step("a"), a_step("b", "failure"), a_step("c", "error", tries=2)]
    api.on("GET", "/runs/01run", a_run(steps=good))
    api.on("GET", "/runs/01run", a_run(steps=bad))
    for name in "abc":
        log(api, name, f"by {name}")
    log(api, "c", "again", attempt=2)
    assert ask("logs", "01run").output == "a | by a\nb | by b\n"
    assert ask("logs", "01run").output == "b | by b\nc#2 | again\n"


def test_one_failed_step_needs_no_name(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run(steps=[a_step("a"), a_step("b", "failure")]))
    log(api, "b", "alone")
    assert ask("logs", "01run").output == "alone\n"


@pytest.mark.parametrize(
    ("parts", "told"),
    [({}, "no step has run yet\n"), ({"errors": ["bad file"]}, "bad file\n")],
)
def test_nothing_to_show(
    ask: Invoke, api: ScriptedApi, parts: dict[str, list[str]], told: str
) -> None:
    api.on("GET", "/runs/01run", a_run(**parts))
    result = ask("logs", "01run")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)


def test_a_step_that_is_not_there(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run(steps=[a_step("a")]))
    told = ask("logs", "01run", "b")
    assert (told.exit_code, "the run has no step 'b'; it has a" in told.stderr) == (2, True)
    told = ask("logs", "01run", "--attempt", "2")
    assert (told.exit_code, "--attempt needs a STEP" in told.stderr) == (2, True)


def test_a_step_before_there_is_a_plan(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run())
    assert ask("logs", "01run", "a").exit_code == 4
    api.stream("/runs/01run/stream", event("run", a_run(status="error")), END)
    told = ask("logs", "01run", "a", "-f")
    assert (told.exit_code, "the run has no step 'a'" in told.stderr) == (2, True)


def test_following_a_step_through_its_attempts(ask: Invoke, api: ScriptedApi) -> None:
    running = a_run(status="running", steps=[a_step("a", "running"), a_step("b", "running")])
    again = a_run(status="running", steps=[a_step("a", "running", tries=2), a_step("b", "running")])
    over = a_run(status="running", steps=[a_step("a", tries=2), a_step("b", "running")])
    api.on("GET", "/runs/01run", running)
    api.stream("/runs/01run/stream", *(event("run", one) for one in (running, again, over)))
    live(api, "a", "first")
    live(api, "a", "\x1b]0;x\x07second", attempt=2)
    assert sorted(ask("logs", "01run", "a", "-f").output.splitlines()) == ["first", "second"]


def test_following_one_attempt(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run(steps=[a_step("a", "running", tries=2)]))
    live(api, "a", "first", "more")
    told = ask("logs", "01run", "a", "-f", "--attempt", "1", "--timestamps")
    assert told.output == f"{STAMP} first\n{STAMP} more\n"


def test_following_a_whole_run(ask: Invoke, api: ScriptedApi) -> None:
    steps = [a_step("a", tries=2), a_step("b", "running"), a_step("c", "pending", tries=0)]
    later = [a_step("a", tries=2), a_step("b"), a_step("c", "running")]
    api.on("GET", "/runs/01run", a_run(steps=steps))
    first, second = a_run(status="running", steps=steps), a_run(status="running", steps=later)
    api.stream("/runs/01run/stream", event("run", first), event("run", second), END)
    log(api, "a", "the latest", attempt=2)
    live(api, "b", "one", "two")
    live(api, "c", "three")
    lines = ask("logs", "01run", "-f").output.splitlines()
    assert lines[0] == "a#2 | the latest"
    assert [line for line in lines if line.startswith("b | ")] == ["b | one", "b | two"]
    assert sorted(lines[1:]) == ["b | one", "b | two", "c | three"]


def test_a_log_that_cannot_be_followed(ask: Invoke, api: ScriptedApi) -> None:
    running = a_run(status="running", steps=[a_step("a", "running")])
    api.on("GET", "/runs/01run", running)
    api.stream("/runs/01run/stream", event("run", running), END)
    told = ask("logs", "01run", "-f")
    assert (told.exit_code, "nothing at /runs/01run/steps/a/log/stream" in told.stderr) == (4, True)


def test_a_step_that_is_run_again_is_not_over(ask: Invoke, api: ScriptedApi) -> None:
    ended, asked = a_run(steps=[a_step("a")]), a_run(steps=[a_step("a")], asked=["rerun"])
    again = a_run(steps=[a_step("a", tries=2)])
    api.on("GET", "/runs/01run", ended)
    api.stream("/runs/01run/stream", event("run", asked), event("run", again), END)
    log(api, "a", "one")
    log(api, "a", "two", attempt=2)
    assert ask("logs", "01run", "a", "-f").output == "one\ntwo\n"
