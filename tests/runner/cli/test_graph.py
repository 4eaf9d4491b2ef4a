"""`hookline graph`: drawings and diagrams of real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import loader, planning
from pipelines.events import Manual
from runner.cli import diagrams
from tests.runner.cli.conftest import Invoke

FILE = """
on: {push: {branches: [main, prod]}}
steps:
  lint: {run: x}
  test:
    needs: lint
    matrix: {python: ["3.11", "3.12"]}
    run: x
  deploy: {needs: test, run: x, when: event.branch == "prod"}
  rescue: {needs: test, run: x, when: failure()}
  count: {needs: lint, run: x, outputs: [n]}
  told: {needs: count, run: x, when: 'steps.count.outputs.n == "1"'}
  asked: {needs: lint, run: x, when: event.number > 3}
  tagged: {needs: lint, run: x, when: event.tag == "v1"}
finally:
  notify: {run: x}
  tidy: {needs: notify, run: x}
"""

DRAWN = """\
            ┌────────────────────┐
         ┌─▶│ test (python=3.11) │───┐
         │  └────────────────────┘   │
         │  ┌────────────────────┐   │  ┌────────┐
         ├─▶│ test (python=3.12) │───┼─▶│ deploy │
         │  └────────────────────┘   │  └────────┘
┌──────┐ │  ┌────────────────────┐   │  ┌────────┐
│ lint │─┼─▶│ count              │─┐ └─▶│ rescue │
└──────┘ │  └────────────────────┘ │    └────────┘
         │  ┌────────────────────┐ │    ┌────────┐
         ├─▶│ asked              │ └───▶│ told   │
         │  └────────────────────┘      └────────┘
         │  ┌────────────────────┐
         └─▶│ tagged             │
            └────────────────────┘
"""

FINALLY = """
finally
┌────────┐  ┌──────┐
│ notify │─▶│ tidy │
└────────┘  └──────┘
"""


@pytest.fixture(autouse=True)
def _file(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".ci.yaml").write_text(FILE)
    monkeypatch.setenv("COLUMNS", "100")


def test_boxes(invoke: Invoke) -> None:
    told = invoke("graph")
    assert told.exit_code == 0
    assert told.output == invoke("graph", ".ci.yaml").output
    assert (
        told.output
        == DRAWN
        + FINALLY
        + """
deploy runs only when event.branch == "prod"
rescue runs only when failure()
told runs only when steps.count.outputs.n == "1"
asked runs only when event.number > 3
tagged runs only when event.tag == "v1"
"""
    )


def test_what_an_event_decides(invoke: Invoke) -> None:
    told = invoke("graph", "--event", "push:prod").output
    assert (
        told
        == DRAWN
        + FINALLY
        + """
deploy runs: event.branch == "prod"
rescue runs only when failure()
told runs only when steps.count.outputs.n == "1"
asked runs only when event.number > 3
tagged is skipped: event.tag == "v1"
"""
    )
    told = invoke("graph", "--event", "tag:v2").output
    assert told.startswith("tag:v2 makes no run: `on` does not name tag\n\n" + DRAWN)
    assert '\ntagged is skipped: event.tag == "v1"\n' in told
    told = invoke("graph", "--event", "pull_request:main").output
    assert told.startswith("pull_request:main makes no run: `on` does not name pull_request\n")
    assert '\ndeploy is skipped: event.branch == "prod"\n' in told
    assert "\nasked runs only when event.number > 3\n" in told


@pytest.mark.parametrize("event", ["push", "push:", "merge:main", "tag:"])
def test_what_is_no_event(invoke: Invoke, event: str) -> None:
    told = invoke("graph", "--event", event)
    assert told.exit_code == 2
    assert "is no event; write push:BRANCH, tag:NAME or pull_request:BRANCH" in told.stderr


def test_a_narrow_terminal_gets_a_tree(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert invoke("graph").output.startswith("""\
lint
├─ test (python=3.11)
│  ├─ deploy  ← also test (python=3.12)
│  └─ rescue  ← also test (python=3.12)
├─ test (python=3.12)
├─ count
│  └─ told
├─ asked
└─ tagged

finally
""")


def test_a_broken_file(invoke: Invoke) -> None:
    Path("bad.yaml").write_text("steps: {a: {rnu: x}}")
    told = invoke("graph", "bad.yaml")
    assert told.exit_code == 3
    assert told.stderr.startswith("Error: bad.yaml:1:13: unknown key `rnu`\n")


def test_a_condition_that_has_no_value_for_the_event(invoke: Invoke) -> None:
    Path("one.yaml").write_text("steps: {a: {run: x, when: 'matches(event.tag, \"v*\")'}}")
    told = invoke("graph", "one.yaml", "--event", "push:main").output
    assert told.endswith('\na runs only when matches(event.tag, "v*")\n')


def test_a_file_without_conditions(invoke: Invoke) -> None:
    Path("one.yaml").write_text("steps: {a: {run: x}}")
    assert invoke("graph", "one.yaml").output == "┌───┐\n│ a │\n└───┘\n"


def test_mermaid(invoke: Invoke) -> None:
    Path("two.yaml").write_text(
        "steps: {a: {run: x}, b: {needs: a, run: x}}\nfinally: {c: {run: x}}"
    )
    assert (
        invoke("graph", "two.yaml", "--format", "mermaid").output
        == """\
flowchart LR
  s0["a"]
  s1["b"]
  subgraph finally
    s2["c"]
  end
  s0 --> s1
"""
    )
    assert (
        invoke("graph", "two.yaml", "--format", "dot").output
        == """\
digraph pipeline {
  rankdir=LR;
  node [shape=box];
  "a";
  "b";
  "c" [style=dashed];
  "a" -> "b";
}
"""
    )


def test_names_that_diagrams_could_misread() -> None:
    config = loader.load("""steps: {a: {run: x, matrix: {v: ['"]; \\ <b>']}}}""")
    plan = planning.plan(config, Manual(branch="main", commit="0" * 40))
    assert diagrams.mermaid(plan) == ('flowchart LR\n  s0["a (v=#34;#93;#59; #92; #60;b#62;)"]\n')
    assert '  "a (v=\\"]; \\\\ <b>)";\n' in diagrams.dot(plan)
