"""The page about the command line is the one that the commands make."""

from __future__ import annotations

from pathlib import Path

from runner.cli.exits import ExitCode
from runner.cli.main import COMMANDS
from runner.cli.reference import PAGE, page, write

ROOT = Path(__file__).parents[3]


def test_the_page_is_fresh() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_page_names_every_command_and_exit_code() -> None:
    text = page()
    assert [name for name in COMMANDS if f"\n## hookline {name}\n" not in text] == []
    assert [code for code in ExitCode if f"\n| {int(code)} | " not in text] == []
    assert "\n### hookline hook install\n" in text
    assert "\n```\nhookline repo add [OPTIONS] NAME CLONE_URL\n```\n" in text
    assert "| `--forge [github\\|gitea\\|forgejo\\|git]` | " in text
    assert "\nFor example `hookline lint .ci.yaml`.\n" in text
    assert "``" not in text.replace("```", "")
    assert "\b" not in text


def test_writing_it(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write(tmp_path)
    assert (tmp_path / "docs" / "cli.md").read_text(encoding="utf-8") == page()
