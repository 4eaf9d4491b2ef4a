"""`hookline runs`, `show`, `rerun` and `cancel`, and which run is meant."""

from __future__ import annotations

import json
import re
import time

import click
import pytest

from runner.cli.show import described
from tests.runner.cli.answers import BEGAN, a_run, a_step
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import END, ScriptedApi, event

NOW = BEGAN + 3600


def test_the_table(ask: Invoke, api: ScriptedApi) -> None:
    pull = {"event": "pull_request", "ref": "refs/pull/3/head", "number": 8, "status": "running"}
    api.on(
        "GET",
        "/runs?repository=acme%2Fdemo&branch=main&status=failure&limit=5",
        {
            "runs": [
                a_run(**pull, created_at=time.time(), started_at=None, ended_at=None),
                a_run(ref="refs/tags/v1", branch=None, event="tag", message=None, attempt=2),
                a_run(),
            ]
        },
    )
    told = ask(
        "runs", "--repo", "acme/demo", "--branch", "main", "--status", "failure", "--limit", "5"
    )
    header, pulled, tagged, pushed = told.output.splitlines()
    assert header.split() == ["RUN", "STATUS", "REF", "COMMIT", "BEGAN", "TOOK", "MESSAGE"]
    assert (
        re.fullmatch(r"acme/demo#8  ▶ running  pull/3/head → main  c0ffeec0ff  now +Fix it", pulled)
        or "1 s ago" in pulled
    )
    assert re.fullmatch(r"acme/demo#7  ✓ success  v1 +c0ffeec0ff  \S+ \S+ ago +2m", tagged)
    assert re.fullmatch(r"acme/demo#7  ✓ success  main .* ago  2m +Fix it", pushed)


def test_the_table_for_programs(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs?limit=20", {"runs": [a_run()]})
    assert json.loads(ask("runs", "--json").stdout) == {"runs": [a_run()]}


STEPS = [
    a_step("lint"),
    a_step(
        "test",
        "failure",
        tries=2,
        needs=["lint"],
        reason="exit code 1",
        warnings=["it was slow"],
        outputs={"passed": "7"},
        artifacts=[
            {"path": "r.xml", "size": 2048},
            {"path": "s", "size": 7},
            {"path": "\x1b[2Jbig", "size": 3 * 2**30},
        ],
    ),
    a_step("deploy", "blocked", tries=0, needs=["test"], started_at=None, reason="`test` failed"),
    a_step("tidy", "running", kind="finally", needs=["test"]),
]


def test_everything_about_a_run() -> None:
    run = a_run(
        status="failure", reason="test: exit code 1", warnings=["two\x07 files"], steps=STEPS
    )
    lines = [click.unstyle(line) for line in described(run, NOW, 100)]
    assert lines[:3] == [
        "acme/demo#7  ✗ failure 2m",
        "push main at c0ffeec0ff by Ada",
        "  Fix it",
    ]
    assert lines[3].endswith(", 1h ago  http://ci/runs/01run")
    assert lines[4:] == [
        "✗ test: exit code 1",
        "! two files",
        "",
        "┌────────────┐  ┌────────────┐  ┌──────────┐",
        "│ ✓ lint 2 s │─▶│ ✗ test 2 s │─▶│ ⊗ deploy │",
        "└────────────┘  └────────────┘  └──────────┘",
        "",
        "finally",
        "┌────────────────┐",
        "│ ▶ tidy 59m 59s │",
        "└────────────────┘",
        "",
        "✗ test (attempt 2): exit code 1",
        "! test: it was slow",
        "  test.passed = 7",
        "  test left r.xml (2.0 KiB)",
        "  test left s (7 B)",
        "  test left big (3.0 GiB)",
        "⊗ deploy: `test` failed",
    ]


def test_a_run_that_could_not_begin() -> None:
    run = a_run(
        status="error",
        errors=[".ci.yaml:1:1: bad\n  cure", "and more"],
        reason=".ci.yaml:1:1: bad",
        attempt=3,
        author="",
        message="",
    )
    lines = [click.unstyle(line) for line in described(run, NOW, 100)]
    assert lines[0] == "acme/demo#7  ‼ error 2m, attempt 3"
    assert lines[1] == "push main at c0ffeec0ff"
    assert lines[3:] == ["‼ .ci.yaml:1:1: bad", "‼ cure", "‼ and more"]


def test_a_graph_that_is_too_wide_is_a_tree() -> None:
    lines = [click.unstyle(line) for line in described(a_run(steps=STEPS), NOW, 30)]
    assert "└─ ✗ test 2 s" in lines


@pytest.mark.parametrize(
    "words", [["01run"], ["acme/demo#7"], ["#7", "--repo", "acme/demo"], ["7"]]
)
def test_which_run_is_meant(ask: Invoke, api: ScriptedApi, words: list[str]) -> None:
    api.on("GET", "/repositories", {"repositories": [{"name": "acme/demo"}]})
    api.on("GET", "/runs?repository=acme%2Fdemo&number=7", {"runs": [a_run()]})
    api.on("GET", "/runs/01run", a_run(steps=STEPS))
    told = ask("show", *words)
    assert told.output.startswith("acme/demo#7  ✓ success 2m\n")
    assert json.loads(ask("show", "--json", *words).stdout)["steps"][0]["name"] == "lint"


def test_the_beginning_of_an_id(ask: Invoke, api: ScriptedApi) -> None:
    others = [a_run(id="01rux"), a_run(id="02abc")]
    api.on("GET", "/runs?limit=100", {"runs": [a_run(), *others]})
    api.on("GET", "/runs/01run", a_run())
    assert ask("show", "01run").exit_code == 0
    api.refuse("GET", "/runs/01ru", 404, "no such run")
    told = ask("show", "01ru")
    assert (told.exit_code, "2 runs have ids that begin with '01ru'" in told.stderr) == (2, True)


def test_a_unique_beginning(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs?limit=100", {"runs": [a_run(id="0abc"), a_run(id="0xyz")]})
    api.on("GET", "/runs/0abc", a_run(id="0abc"))
    assert ask("show", "0ab").exit_code == 0
    told = ask("show", "0q")
    assert (told.exit_code, "there is no run '0q'" in told.stderr) == (2, True)


@pytest.mark.parametrize(
    ("names", "told"), [([], "there is none yet"), (["a/b", "c/d"], "there is a/b, c/d")]
)
def test_a_number_alone_needs_a_single_repository(
    ask: Invoke, api: ScriptedApi, names: list[str], told: str
) -> None:
    api.on("GET", "/repositories", {"repositories": [{"name": name} for name in names]})
    result = ask("show", "7")
    assert (result.exit_code, told in result.stderr) == (2, True)


def test_a_number_that_is_not_there(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs?repository=a%2Fb&number=9", {"runs": []})
    told = ask("show", "a/b#9")
    assert (told.exit_code, "a/b has no run 9" in told.stderr) == (2, True)


def test_asking_for_another_round(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run())
    api.on("POST", "/runs/01run/rerun", a_run(asked=["rerun"]), 202)
    told = ask("rerun", "01run", "--failed")
    assert told.output == "acme/demo#7 runs again  http://ci/runs/01run\n"
    assert json.loads(ask("rerun", "01run", "--json").stdout)["asked"] == ["rerun"]
    assert api.bodies("POST", "/runs/01run/rerun") == [{"mode": "failed"}, {"mode": "all"}]


@pytest.mark.parametrize(("status", "code"), [("success", 0), ("warning", 0), ("failure", 1)])
def test_waiting_for_another_round(ask: Invoke, api: ScriptedApi, status: str, code: int) -> None:
    before = a_run(steps=[a_step("a"), a_step("b", "failure")], asked=["rerun"], status="failure")
    kept = a_step("a")
    rounds = [
        before,
        a_run(status="running", steps=[kept, a_step("b", "queued", tries=2)]),
        a_run(status="running", steps=[kept, a_step("b", "running", tries=2)]),
        a_run(status=status, steps=[kept, a_step("b", "failure", tries=2, reason="exit code 1")]),
    ]
    api.on("GET", "/runs/01run", a_run())
    api.on("POST", "/runs/01run/rerun", before, 202)
    api.stream("/runs/01run/stream", *(event("run", one) for one in rounds), END)
    told = ask("rerun", "01run", "--wait")
    lines = told.output.splitlines()
    assert (told.exit_code, lines[:2]) == (code, ["▶ b", "✗ b 2 s: exit code 1"])
    assert lines[2].startswith("acme/demo#7 ")
    last = ask("rerun", "01run", "--wait", "--json")
    assert (last.exit_code, json.loads(last.stdout)["status"]) == (code, status)


def test_a_round_that_cannot_be(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run())
    api.refuse("POST", "/runs/01run/rerun", 409, "no step failed", "run all steps again")
    told = ask("rerun", "01run", "--failed")
    assert (told.exit_code, told.stderr) == (4, "Error: no step failed\nRun all steps again.\n")


def test_asking_for_the_end(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs/01run", a_run())
    api.on("POST", "/runs/01run/cancel", a_run(asked=["cancel"]), 202)
    assert ask("cancel", "01run").output == "acme/demo#7 is asked to end  http://ci/runs/01run\n"
    assert json.loads(ask("cancel", "01run", "--json").stdout)["asked"] == ["cancel"]
