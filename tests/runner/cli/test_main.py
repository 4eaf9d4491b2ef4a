"""The entry point: quick, complete, and with the exit code that each end deserves."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipelines.errors import ConfigError, Mistake, Position
from runner.cli.exits import KINDS, MEANINGS, ExitCode, failure_of
from runner.cli.lazy import LazyGroup
from runner.cli.main import COMMANDS, hookline
from runner.client import NotFound
from tests.runner.cli.conftest import Invoke

HEAVY = (
    "sqlalchemy pydantic networkx kubernetes boto3 starlette rich httpx2 git yaml jinja2 uvicorn"
)


def python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin", **environ},
    )


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import json, sys
sys.argv = ["hookline", "--help"]
from runner.cli.main import main
try:
    main()
except SystemExit as end:
    print("\\n" + json.dumps([end.code, [m for m in "{HEAVY}".split() if m in sys.modules]]))
"""
    done = python(code)
    assert done.stderr == ""
    assert "Run the pipeline of a checkout here and now." in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def test_every_command_has_help_with_an_example(invoke: Invoke) -> None:
    context = click.Context(hookline, **hookline.context_settings)
    todo: list[tuple[list[str], click.Command | None]] = [
        ([name], hookline.get_command(context, name)) for name in COMMANDS
    ]
    while todo:
        words, command = todo.pop()
        assert command is not None
        told = invoke(*words, "--help")
        assert told.exit_code == 0
        if words != ["version"]:
            assert "Example: " in told.output, words
        assert f"hookline {' '.join(words)}" in told.output
        if isinstance(command, click.Group):
            todo += [([*words, name], inner) for name, inner in command.commands.items()]


def test_an_unknown_command(invoke: Invoke) -> None:
    told = invoke("nosuch")
    assert (told.exit_code, "No such command 'nosuch'" in told.stderr) == (2, True)


def test_the_version(invoke: Invoke) -> None:
    told = invoke("--version")
    assert told.output.startswith("hookline 0.")
    assert invoke("version", "--json").exit_code == 0
    found = json.loads(invoke("version", "--json").stdout)
    assert told.output.strip() == f"hookline {found['hookline']}"
    assert found["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert found["git"][0].isdigit()


def test_the_version_without_git(invoke: Invoke) -> None:
    told = invoke("version", env={"PATH": "/nonexistent"})
    assert "git       not found" in told.output.splitlines()


def test_a_terminal_that_cannot_show_a_sign(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("steps: {a: {run: x}}")
    code = f"""
import sys
sys.argv = ["hookline", "graph", {str(tmp_path / "a.yaml")!r}]
from runner.cli.main import main
main()
"""
    done = python(code, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "? a ?")


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_error_that_is_named_is_there(name: str, kind: type[click.ClickException]) -> None:
    module, _, attribute = name.rpartition(".")
    assert issubclass(getattr(import_module(module), attribute), Exception)
    assert kind.exit_code in set(ExitCode)


def test_every_exit_code_is_explained() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_an_error_becomes_a_message_with_its_cure() -> None:
    failure = failure_of(NotFound("it is gone", status=404, code="x", cure="look around"))
    assert failure is not None
    assert (failure.exit_code, failure.format_message()) == (4, "it is gone\nLook around.")
    assert failure_of(ValueError("a mistake of ours")) is None


def test_a_broken_file_is_shown_with_its_line() -> None:
    mistake = Mistake("c", "wrong", "right", position=Position(2, 3), text="a: b")
    failure = failure_of(ConfigError((mistake,)))
    assert failure is not None
    assert click.unstyle(failure.format_message()) == (
        ".ci.yaml:2:3: wrong\n    2 | a: b\n      |   ^ right"
    )


def interrupt() -> None:
    raise KeyboardInterrupt


def stumble() -> None:
    raise ZeroDivisionError


def leave() -> None:
    click.get_current_context().exit(7)


INTERRUPTED = click.Command("interrupted", callback=interrupt)
STUMBLING = click.Command("stumbling", callback=stumble)
LEAVING = click.Command("leaving", callback=leave)
ENDS = LazyGroup(
    "ends", places={n: f"{__name__}:{n.upper()}" for n in ("interrupted", "stumbling", "leaving")}
)


def test_how_commands_end() -> None:
    runner = CliRunner()
    told = runner.invoke(ENDS, ["interrupted"])
    assert (told.exit_code, told.stderr) == (130, "Error: interrupted\n")
    assert runner.invoke(ENDS, ["leaving"]).exit_code == 7
    assert isinstance(runner.invoke(ENDS, ["stumbling"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_colour_if_nobody_wants_it(tmp_path: Path, no_color: str, coloured: bool) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("steps: {a: {rnu: x}}")
    told = CliRunner().invoke(hookline, ["lint", str(file)], env={"NO_COLOR": no_color}, color=True)
    assert ("\x1b[31m" in told.output) is coloured
