"""A push becomes Pods: the graph, data between steps, failures told right, reruns, cancels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.stage import Stage
from tests.e2e.servers import pretty, states, step
from tests.support.cluster import Testbed

GRAPH = """
steps:
  make:
    outputs: [count]
    run: |
      echo one > one.txt
      mkdir -p deep/er && echo two > deep/er/two.txt
      ln -s one.txt link
      printf '#!/bin/sh\\necho ran\\n' > tool && chmod +x tool
      echo "count=2" >> "$CI_OUTPUT"
  check:
    needs: make
    matrix: {part: [a, b]}
    env: {COUNT: "${{ steps.make.outputs.count }}"}
    run: |
      test "$(cat link)" = one && test "$(./tool)" = ran
      echo "$CI_MATRIX_PART $COUNT" > "$CI_MATRIX_PART.txt"
  never: {needs: make, when: event.branch == "nowhere", run: exit 9}
  join:
    needs: [check, never]
    artifacts: ["*.txt"]
    run: cat a.txt b.txt deep/er/two.txt; rm one.txt
finally:
  tell: {run: 'echo "a $CI_RUN_STATUS"; test ! -e one.txt'}
"""


@pytest.fixture(params=["0", "3"], ids=["not ahead", "ahead"])
def stage(request: pytest.FixtureRequest, testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    """A stage on the testbed, with Pods started ahead or not."""
    settings = testbed.settings(HOOKLINE_KUBERNETES__AHEAD=request.param)
    opened = Stage(tmp_path, settings)
    try:
        yield opened.open()
    finally:
        opened.server.stop()


def test_a_graph_with_data_between_its_steps(stage: Stage, testbed: Testbed) -> None:
    run = stage.ended(stage.push(GRAPH))
    assert run["status"] == "success", pretty(run)
    assert states(run) == {
        "make": "success",
        "check (part=a)": "success",
        "check (part=b)": "success",
        "never": "skipped",
        "join": "success",
        "tell": "success",
    }
    assert stage.log(run["id"], "join").splitlines()[-3:] == ["a 2", "b 2", "two"]
    assert "a success" in stage.log(run["id"], "tell")
    artifacts = {artifact["path"] for artifact in step(run, "join")["attempts"][-1]["artifacts"]}
    assert artifacts == {"a.txt", "b.txt"}
    testbed.until_empty()


def test_a_failure_and_its_rerun_on_the_very_snapshots(stage: Stage, testbed: Testbed) -> None:
    pipeline = """
steps:
  first: {run: 'date +%s%N > when; cat when'}
  second: {needs: first, run: 'cat when; test "$CI_ATTEMPT" -gt 1'}
"""
    run = stage.ended(stage.push(pipeline))
    assert (run["status"], step(run, "second")["reason"]) == ("failure", "exit code 1")
    testbed.until_empty()
    stage.server.cli("rerun", run["id"], "--failed")
    again = stage.ended(run["id"], attempt=2)
    assert again["status"] == "success", pretty(again)
    assert len(step(again, "first")["attempts"]) == 1
    written = stage.log(run["id"], "first")
    assert stage.log(run["id"], "second", attempt=1) == written
    assert stage.log(run["id"], "second", attempt=2) == written
    stage.server.cli("rerun", run["id"])
    third = stage.ended(run["id"], attempt=3)
    assert third["status"] == "success", pretty(third)
    assert stage.log(run["id"], "first") != written
    testbed.until_empty()


def test_a_cancel_ends_what_runs_and_nothing_comes_after(stage: Stage, testbed: Testbed) -> None:
    pipeline = """
steps:
  long: {run: "trap 'echo asked to end; exit 3' TERM; echo ready; sleep 600 & wait"}
  after: {needs: long, run: "true"}
"""
    run = stage.push(pipeline)
    stage.until(run, "long", "running")
    stage.server.cli("cancel", run)
    told = stage.ended(run)
    assert told["status"] == "cancelled", pretty(told)
    assert states(told) == {"long": "cancelled", "after": "cancelled"}
    assert "asked to end" in stage.log(run, "long")
    testbed.until_empty()


def test_large_outputs_go_through_the_object_store(stage: Stage) -> None:
    pipeline = """
steps:
  big:
    outputs: [text]
    run: 'printf "text=%s\\n" "$(head -c 30000 /dev/zero | tr "\\0" x)" >> "$CI_OUTPUT"'
  use:
    needs: big
    env: {TEXT: "${{ steps.big.outputs.text }}"}
    run: 'echo "${#TEXT}"'
"""
    run = stage.ended(stage.push(pipeline))
    assert run["status"] == "success", pretty(run)
    assert stage.log(run["id"], "use").strip() == "30000"


@pytest.mark.parametrize(
    ("name", "pipeline", "state", "words"),
    [
        ("exit", "steps: {a: {run: exit 7}}", "failure", "exit code 7"),
        ("signal", "steps: {a: {run: kill -SEGV $$}}", "failure", "SIGSEGV"),
        (
            "memory",
            'steps: {a: {resources: {memory: 32Mi}, run: "tail -c 200000000 /dev/zero"}}',
            "failure",
            "out of memory",
        ),
        (
            "memory of a child",
            'steps: {a: {resources: {memory: 32Mi}, run: "(tail -c 200000000 /dev/zero) || exit 1"}}',
            "failure",
            "out of memory",
        ),
        ("deadline", "steps: {a: {timeout: 2s, run: sleep 60}}", "failure", "longer than 2s"),
        (
            "no such image",
            "steps: {a: {image: docker.io/local/nowhere:1, run: 'true'}}",
            "error",
            "docker.io/local/nowhere:1",
        ),
        ("bad image name", "steps: {a: {image: 'UPPER::x', run: 'true'}}", "error", "UPPER::x"),
        ("no shell", "steps: {a: {shell: nosuchshell, run: 'true'}}", "failure", "nosuchshell"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_ends_are_told_in_words(
    testbed: Testbed, tmp_path: Path, name: str, pipeline: str, state: str, words: str
) -> None:
    opened = Stage(tmp_path, testbed.settings())
    try:
        run = opened.open().ended(opened.push(pipeline))
    finally:
        opened.server.stop()
    told = step(run, "a")
    assert told["state"] == state, f"{name}: {pretty(run)}"
    assert words in told["reason"], f"{name}: {json.dumps(told)}"
    testbed.until_empty()
