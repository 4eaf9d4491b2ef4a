"""What `hookline run` prints: lines, JSON, and the graph at the bottom of a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from rich.console import Console

from pipelines.states import RunStatus
from runner.cli.displays import Display, JsonDisplay, PlainDisplay
from runner.cli.exits import ExitCode
from runner.cli.live import LiveDisplay
from runner.cli.local import carry_out, exit_code, folders_of
from tests.runner.cli.looks import Hand, ScriptedRun, plan_of

FILE = """
steps:
  lint: {run: x}
  test: {needs: lint, run: x, outputs: [n], retry: {limit: 1, on: failure, backoff: 1s}}
  deploy: {needs: test, run: x}
"""


def scripted() -> ScriptedRun:
    """Return a run in which a step is tried twice, fails, and blocks another."""
    hand = Hand(plan_of(FILE), at=100.0, warnings=("two files clash",))

    def lint() -> None:
        hand.start("lint")
        hand.say("lint", "\x1b[32mgreen\x1b[0m\x1b[2J")

    def linted() -> None:
        hand.at += 1.25
        hand.end("lint")
        hand.start("test")

    def tried() -> None:
        hand.at += 60
        hand.end("test", 1)

    def failed() -> None:
        hand.wait(1)
        hand.start("test", 2)
        hand.end("test", 2, attempt=2, outputs={"n": "7"})

    script = [lint, linted, tried, failed]
    return ScriptedRun(hand, script, artifacts={"test": ["a.txt", "b.txt"], "lint": ["c.txt"]})


def clock(*times: float) -> Callable[[], float]:
    """Return a clock that shows these times in turn."""
    return iter(times).__next__


def test_lines(tmp_path: Path) -> None:
    printed: list[str] = []
    run = scripted()
    code = carry_out(run, PlainDisplay(printed.append), clock(0.0, 62.25), tmp_path)
    assert code is ExitCode.RUN_FAILED
    why = run.hand.machine.steps["deploy"].reason
    assert "`test`" in why
    assert [click.unstyle(line) for line in printed] == [
        "! two files clash",
        "▶ lint",
        "lint | green",
        "✓ lint 1.2 s",
        "▶ test",
        "↻ test: exit code 1; it is tried again",
        "▶ test (attempt 2)",
        "✗ test 0 s: exit code 2",
        f"⊗ deploy: {why}",
        f"lint: 1 file in {tmp_path / 'lint'}",
        f"test: 2 files in {tmp_path / 'test'}",
        "",
        "STEP    STATUS     TIME   REASON",
        "lint    ✓ success  1.2 s",
        "test    ✗ failure  0 s    exit code 2",
        f"deploy  ⊗ blocked         {why}",
        "",
        "✗ failure after 1m 2s",
    ]
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["a.txt", "b.txt"]


def test_lines_keep_colours_where_there_are_any() -> None:
    printed: list[str] = []
    carry_out(scripted(), PlainDisplay(printed.append, colours=True), clock(0.0, 1.0), None)
    assert "lint | \x1b[32mgreen\x1b[0m\x1b[0m" in printed


def test_json() -> None:
    printed: list[str] = []
    carry_out(scripted(), JsonDisplay(printed.append), clock(0.0, 62.25), None)
    records = [json.loads(line) for line in printed]
    assert records[:3] == [
        {"warning": "two files clash"},
        {"step": "lint", "state": "running", "attempt": 1},
        {
            "step": "lint",
            "attempt": 1,
            "number": 1,
            "at": 100.0,
            "line": "\x1b[32mgreen\x1b[0m\x1b[2J",
        },
    ]
    ends = {"attempt": 1, "cause": "", "reason": "", "exit_code": 0}
    assert {"step": "lint", "state": "success", **ends} in records
    failed = {"cause": "exit code", "reason": "exit code 1", "exit_code": 1}
    assert {"step": "test", "state": "retrying", "attempt": 1, **failed} in records
    last = records[-1]
    assert last["run"] == {"status": "failure", "duration": 62.25}
    lint, test, deploy = last["steps"]
    assert lint["duration"] == 1.25
    assert test == {
        "name": "test",
        "status": "failure",
        "cause": "exit code",
        "reason": "exit code 2",
        "exit_code": 2,
        "attempts": 2,
        "outputs": {"n": "7"},
        "duration": 0.0,
    }
    assert (deploy["status"], deploy["attempts"], deploy["duration"]) == ("blocked", 0, None)


def terminal(height: int = 24) -> tuple[io.StringIO, Console]:
    """Return a terminal, and what is written to it."""
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=True,
        width=70,
        height=height,
        color_system="standard",
        legacy_windows=False,
    )
    return screen, console


def test_a_terminal() -> None:
    screen, console = terminal()
    run = scripted()
    display = LiveDisplay(console, run.plan, lambda: run.hand.at + 5)
    carry_out(run, display, clock(0.0, 62.25), None)
    written = click.unstyle(screen.getvalue())
    for line in (
        "lint | green",
        "✓ lint 1.2 s",
        "⊗ deploy: `test` ",
        "test    ✗ failure  0 s    exit code 2",
        "✗ failure after 1m 2s",
    ):
        assert line in written
    assert "\x1b[2J" not in screen.getvalue()


def shown(display: LiveDisplay) -> list[str]:
    """Return what stands at the bottom of the terminal now."""
    screen, console = terminal()
    console.print(display.bottom())
    return [line.rstrip() for line in click.unstyle(screen.getvalue()).splitlines()]


def test_the_graph_at_the_bottom() -> None:
    _, console = terminal()
    hand = Hand(plan_of(FILE), at=100.0)
    display = LiveDisplay(console, hand.plan, lambda: hand.at)
    try:
        assert shown(display)[1:] == [
            "· lint",
            "└─ · test",
            "   └─ · deploy",
            "▶ 0 of 3 steps ended, 0 s",
        ]
        hand.start("lint")
        hand.at += 3
        display.stand(hand.look().steps)
        assert shown(display)[1] == "▶ lint  3 s"
        hand.end("lint")
        hand.at += 62
        display.stand(hand.look().steps)
        assert shown(display)[1:] == [
            "✓ lint  3 s",
            "└─ ○ test",
            "   └─ · deploy",
            "▶ 1 of 3 steps ended, 1m 5s",
        ]
    finally:
        display.close()


def test_of_a_graph_that_is_too_high_what_happens_is_shown() -> None:
    _, console = terminal(height=7)
    steps = "".join(f"  s{number}: {{run: x}}\n" for number in range(9))
    hand = Hand(plan_of(f"steps:\n{steps}"), at=100.0)
    display = LiveDisplay(console, hand.plan, lambda: hand.at)
    try:
        for name in ("s3", "s7"):
            hand.start(name)
        hand.end("s3")
        display.stand(hand.look().steps)
        assert shown(display)[1:] == ["○ s0", "○ s1", "○ s2", "▶ 1 of 9 steps ended, 0 s"]
        for number in (0, 1, 2, 4, 5, 6):
            hand.start(f"s{number}")
            hand.end(f"s{number}")
        display.stand(hand.look().steps)
        assert shown(display)[1:] == ["▶ s7  0 s", "○ s8", "▶ 7 of 9 steps ended, 0 s"]
    finally:
        display.close()


@pytest.mark.parametrize(
    ("status", "interrupted", "expected"),
    [
        (RunStatus.SUCCESS, False, ExitCode.OK),
        (RunStatus.SUCCESS, True, ExitCode.OK),
        (RunStatus.WARNING, False, ExitCode.OK),
        (RunStatus.FAILURE, False, ExitCode.RUN_FAILED),
        (RunStatus.FAILURE, True, ExitCode.RUN_FAILED),
        (RunStatus.ERROR, False, ExitCode.RUN_FAILED),
        (RunStatus.CANCELLED, True, ExitCode.INTERRUPTED),
        (RunStatus.CANCELLED, False, ExitCode.RUN_FAILED),
    ],
)
def test_the_exit_code(status: RunStatus, interrupted: bool, expected: ExitCode) -> None:
    assert exit_code(status, interrupted=interrupted) is expected


def test_no_two_steps_have_the_same_folder() -> None:
    assert folders_of(["a/b", "a b", "A-B", "test (x=1)", "..", "é"]) == {
        "a/b": "a-b",
        "a b": "a-b-2",
        "A-B": "A-B-3",
        "test (x=1)": "test-x=1",
        "..": "step",
        "é": "step-2",
    }


def test_every_display_can_say_a_word() -> None:
    printed: list[str] = []
    displays: list[Display] = [PlainDisplay(printed.append), JsonDisplay(printed.append)]
    for display in displays:
        display.note("hello")
    assert printed == ["hello", '{"note": "hello"}']
