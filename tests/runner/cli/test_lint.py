"""`hookline lint`: every mistake with its place, its line and its cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import Mistake, Position
from pipelines.matrix import LIMIT
from pipelines.planning import Limits
from runner.cli.mistakes import explained
from tests.runner.cli.conftest import Invoke

GOOD = """
steps:
  lint: {run: x}
  test:
    needs: lint
    run: x
    matrix: {python: ["3.11", "3.12"]}
"""
BAD = """steps:
  lint:
    needs: [tset]
    run: x
  test:
    run: x
    needs: [lnit]
"""


def test_a_file_that_is_fine(invoke: Invoke) -> None:
    Path(".ci.yaml").write_text(GOOD)
    Path("one.yaml").write_text("steps: {a: {run: x}}")
    told = invoke("lint")
    assert (told.exit_code, told.output) == (0, ".ci.yaml: fine, 3 steps\n")
    assert invoke("lint", "one.yaml").output == "one.yaml: fine, 1 step\n"


def test_mistakes(invoke: Invoke) -> None:
    Path("bad.yaml").write_text(BAD)
    Path("good.yaml").write_text(GOOD)
    told = invoke("lint", "bad.yaml", "good.yaml")
    assert told.exit_code == 3
    assert told.output.splitlines()[:3] == [
        "bad.yaml:3:13: there is no step `tset`",
        "    3 |     needs: [tset]",
        "      |             ^ did you mean `test`?",
    ]
    assert "bad.yaml:7:13: there is no step `lnit`\n" in told.output
    assert "    7 |     needs: [lnit]\n" in told.output
    assert told.output.splitlines()[-1] == "good.yaml: fine, 3 steps"


def test_mistakes_for_programs(invoke: Invoke) -> None:
    Path("bad.yaml").write_text(BAD)
    Path("good.yaml").write_text(GOOD)
    told = invoke("lint", "--json", "good.yaml", "bad.yaml")
    assert told.exit_code == 3
    good, bad = json.loads(told.stdout)["files"]
    assert good == {"path": "good.yaml", "steps": 3, "mistakes": []}
    assert (bad["path"], bad["steps"]) == ("bad.yaml", None)
    first = bad["mistakes"][0]
    assert (first["line"], first["column"], first["text"]) == (3, 13, "    needs: [tset]")
    assert set(first) == {"code", "message", "cure", "line", "column", "text"}


def test_standard_input(invoke: Invoke) -> None:
    told = invoke("lint", "-", stdin="steps: {}")
    assert told.exit_code == 3
    assert told.output.startswith("(standard input):1:")
    assert invoke("lint", "-", stdin=GOOD).output == "-: fine, 3 steps\n"


def test_no_file(invoke: Invoke) -> None:
    told = invoke("lint")
    assert told.exit_code == 2
    assert "there is no .ci.yaml in this folder; name the file" in told.stderr
    assert invoke("lint", "nosuch.yaml").exit_code == 2


def test_a_plan_beyond_all_measure(invoke: Invoke) -> None:
    matrix = f"{{a: {json.dumps([str(number) for number in range(LIMIT)])}}}"
    count = Limits().steps // LIMIT + 1
    steps = "".join(f"  s{n}: {{run: x, matrix: {matrix}}}\n" for n in range(count))
    Path(".ci.yaml").write_text(f"steps:\n{steps}")
    told = invoke("lint", "--json")
    assert told.exit_code == 3
    (mistake,) = json.loads(told.stdout)["files"][0]["mistakes"]
    assert (mistake["code"], mistake["line"]) == ("plan", None)
    assert f" {Limits().steps} " in mistake["message"]
    assert invoke("lint").output.endswith("\n    make the matrices smaller\n")


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        (Mistake("c", "it is wrong", ""), [".ci.yaml: it is wrong"]),
        (Mistake("c", "it is wrong", "do so"), [".ci.yaml: it is wrong", "    do so"]),
        (
            Mistake("c", "bad", "good", position=Position(12, 4), text="漢:\tx"),
            [".ci.yaml:12:4: bad", "   12 | 漢: x", "      |     ^ good"],
        ),
        (
            Mistake("c", "bad", "", position=Position(1, 1), text="x"),
            [".ci.yaml:1:1: bad", "    1 | x", "      | ^"],
        ),
        (
            Mistake("c", "bad", "good", position=Position(3, 1), text="  "),
            [".ci.yaml:3:1: bad", "    good"],
        ),
    ],
)
def test_how_a_mistake_is_shown(mistake: Mistake, expected: list[str]) -> None:
    import click

    assert [click.unstyle(line) for line in explained(mistake)] == expected
