"""What the tests of the command line share: a scripted server, and a way to run commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from runner.cli.main import hookline
from tests.runner.cli.scripted_api import ScriptedApi, serving

Invoke: TypeAlias = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A server that answers as it is told to."""
    with serving() as served:
        yield served


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command in an empty folder, as somebody without any settings."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
        home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
        result = CliRunner().invoke(
            hookline, list(words), env={**home, **(env or {})}, input=stdin, prog_name="hookline"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def ask(invoke: Invoke, api: ScriptedApi) -> Invoke:
    """Run a command that speaks to the scripted server, with a token."""

    def run(*words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
        known = {"HOOKLINE_URL": api.url, "HOOKLINE_TOKEN": "hkl_test"}
        return invoke(*words, env={**known, **(env or {})}, stdin=stdin)

    return run
