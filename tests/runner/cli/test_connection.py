"""Which server is asked, and with which token."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from runner.cli.connection import LOCAL_TOKEN, target
from runner.server import LOCAL_TOKEN as LEFT_BY_THE_SERVER
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import ScriptedApi


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / LOCAL_TOKEN).write_text("hkl_local\n")
    return tmp_path


def test_the_file_is_the_one_that_the_server_leaves() -> None:
    assert LOCAL_TOKEN == LEFT_BY_THE_SERVER


def test_the_option_outranks_the_environment_and_that_the_settings(data: Path) -> None:
    environ = {"HOOKLINE_DATA": str(data), "HOOKLINE_LISTEN__PORT": "9000"}
    assert target(None, environ) == ("http://127.0.0.1:9000", "hkl_local")
    environ["HOOKLINE_URL"] = "http://localhost:1"
    assert target(None, environ) == ("http://localhost:1", "hkl_local")
    assert target("http://127.0.0.1:2", environ) == ("http://127.0.0.1:2", "hkl_local")


def test_a_token_from_the_environment_wins(data: Path) -> None:
    environ = {"HOOKLINE_DATA": str(data), "HOOKLINE_TOKEN": "hkl_mine"}
    assert target(None, environ)[1] == "hkl_mine"
    assert target("http://localhost", environ)[1] == "hkl_mine"


def test_the_local_token_goes_nowhere_else(data: Path) -> None:
    environ = {"HOOKLINE_DATA": str(data), "HOOKLINE_URL": "https://ci.example.com"}
    assert target(None, environ) == ("https://ci.example.com", None)
    del environ["HOOKLINE_URL"]
    assert target("http://localhost.example.com", environ)[1] is None


def test_settings_are_left_alone_where_they_are_not_needed() -> None:
    environ = {"HOOKLINE_NOSUCH": "1", "HOOKLINE_TOKEN": "t"}
    assert target("http://localhost", environ) == ("http://localhost", "t")
    assert target("https://ci.example.com", {"HOOKLINE_NOSUCH": "1"})[1] is None


def test_no_token_file(tmp_path: Path) -> None:
    assert target(None, {"HOOKLINE_DATA": str(tmp_path)})[1] is None
    (tmp_path / LOCAL_TOKEN).write_text("\n")
    assert target(None, {"HOOKLINE_DATA": str(tmp_path)})[1] is None


def test_what_is_no_address() -> None:
    with pytest.raises(click.UsageError, match=r"'ci\.example\.com' is no address"):
        target("ci.example.com", {})


def test_settings_that_cannot_be_used(invoke: Invoke) -> None:
    told = invoke("runs", env={"HOOKLINE_LISTEN__PRT": "1"})
    assert told.exit_code == 3
    assert "there is no such setting" in told.stderr


def test_the_token_is_sent(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/runs?limit=20", {"runs": []})
    assert ask("runs").output == "no runs\n"
    assert api.asked[0].headers["authorization"] == "Bearer hkl_test"


def test_a_server_that_refuses(ask: Invoke, api: ScriptedApi) -> None:
    api.refuse("GET", "/runs?limit=20", 401, "the token is not known")
    told = ask("runs")
    assert (told.exit_code, told.stderr) == (
        4,
        "Error: the token is not known\nSet HOOKLINE_TOKEN to a token that is valid here.\n",
    )
