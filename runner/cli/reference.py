"""Writes `docs/cli.md` from the commands themselves: `python -m runner.cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from runner.cli.exits import MEANINGS
from runner.cli.main import hookline

PAGE = Path("docs", "cli.md")

_INTRODUCTION = """# The command line

This page is made from the commands by `python -m runner.cli.reference` (`make docs`).

`hookline run`, `lint` and `graph` work on a checkout and need no server. `hookline serve` is the
server. The other commands speak to one:

- **Where** it is: `--url`, else `HOOKLINE_URL`, else the setting `url`.
- **With which token**: the one in `HOOKLINE_TOKEN`. Without it, and only towards an address of this
  machine (`localhost`, `127.0.0.1`, `::1`), the file `admin.token` in the server's data folder,
  which a running server leaves there for the account it runs as.

What has colours has none where the output is a file or a pipe, or `NO_COLOR` is set. `--json`
prints what a program can read; where a command speaks to a server, the fields are those of the API.

A run is named `NAME#NUMBER`, as in `acme/demo#7`; or by `NUMBER` alone where there is one repository
or `--repo` says which; or by its id or the beginning of one.
"""


def page() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, *_exit_codes()]
    context = click.Context(hookline, info_name="hookline", **hookline.context_settings)
    for name in hookline.list_commands(context):
        command = hookline.get_command(context, name)
        assert command is not None  # noqa: S101 - it was listed
        parts += _described(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(parts)


def write(root: Path = Path()) -> None:
    """Write the page into the checkout at `root`."""
    (root / PAGE).write_text(page(), encoding="utf-8")


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n| --- | --- |"
    for code, meaning in MEANINGS.items():
        yield f"| {int(code)} | {meaning} |"
    yield ""


def _described(command: click.Command, context: click.Context) -> Iterator[str]:
    depth = context.command_path.count(" ") + 1
    yield f"{'#' * depth} {context.command_path}\n"
    text, example = _text(command)
    yield text
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.commands[name]
            yield from _described(inner, click.Context(inner, info_name=name, parent=context))
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```\n"
    yield f"For example `{example}`.\n"
    options = [p for p in command.params if isinstance(p, click.Option)]
    rows = [r for p in options if (r := p.get_help_record(context))]
    yield "| option | meaning |\n| --- | --- |"
    for names, meaning in rows:
        yield "| `{}` | {} |".format(names.replace("|", "\\|"), meaning)
    yield ""


def _text(command: click.Command) -> tuple[str, str]:
    """Return a command's help in Markdown, and the example in it."""
    plain = inspect.cleandoc(command.help or "").replace("\b\n", "")
    text, _, example = plain.partition("Example: ")
    return f"{text.strip()}\n", example.strip()


if __name__ == "__main__":
    write()
