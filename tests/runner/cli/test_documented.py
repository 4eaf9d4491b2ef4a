"""Every command line that the pages show is one that can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runner.cli.main import hookline

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/**/*.md"))]


def shown(page: str) -> Iterator[str]:
    """Yield the command lines of a page, in blocks and between words; usages are none."""
    for line in re.findall(r"^\s*(?:hookline|hl) +([a-z].*)$", page, re.MULTILINE):
        yield line
    for line in re.findall(r"`hookline ([a-z][^`\n]*)`", page):
        yield line


def lines() -> list[tuple[str, str]]:
    found = ((page, line) for page in PAGES for line in shown(page.read_text(encoding="utf-8")))
    return list(dict.fromkeys((page.name, line) for page, line in found if "[" not in line))


def typed(line: str) -> tuple[click.Command, list[str]]:
    """Return the command of a line and the words after it; raises what click does of a wrong one."""
    words = shlex.split(re.sub(r"\s[#<].*", "", line))
    command: click.Command = hookline
    while isinstance(command, click.Group):
        named = command.get_command(click.Context(command), words[0])
        assert named is not None, f"there is no command {words[0]}"
        command, words = named, words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_command_line_has_the_words_that_its_command_takes(page: str, line: str) -> None:
    command, words = typed(line)
    context = click.Context(command)
    given, left, _ = command.make_parser(context).parse_args(list(words))
    assert not left, page
    if not words:
        return  # the name of the command alone: the pages speak of it
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Argument) and parameter.required:
            assert given[parameter.name or ""], f"{parameter.name} is missing"


def test_there_are_enough_of_them() -> None:
    assert len({line.split()[0] for _, line in lines()}) > 14


@pytest.mark.parametrize("line", ["nosuch", "run --nosuch", "token rm --json", "show a b"])
def test_one_that_cannot_be_typed_is_found(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        test_a_command_line_has_the_words_that_its_command_takes("", f"{line} # so")
