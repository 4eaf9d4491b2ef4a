"""`hookline lint`: every mistake in a pipeline file, with its line, its place, and what is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.exits import ExitCode
from runner.cli.options import json_option, show_json

if TYPE_CHECKING:
    from pipelines.errors import Mistake

DEFAULT_FILE = ".ci.yaml"


def default_files(files: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files that were named, or the one of the working folder. Raises UsageError."""
    if not files and not Path(DEFAULT_FILE).is_file():
        message = f"there is no {DEFAULT_FILE} in this folder; name the file"
        raise click.UsageError(message)
    return files or (DEFAULT_FILE,)


@click.command(short_help="Check pipeline files.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@json_option
@click.pass_context
def lint(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check pipeline files, by default the .ci.yaml of this folder; `-` reads standard input.

    Each mistake is shown as PATH:LINE:COLUMN with its line and what would be right.

    \b
    Example: hookline lint .ci.yaml
    """
    results = {name: checked(name) for name in default_files(files)}
    if as_json:
        show_json({"files": [_record(name, found) for name, found in results.items()]})
    else:
        for name, found in results.items():
            _show(name, found)
    if any(not isinstance(found, int) for found in results.values()):
        ctx.exit(ExitCode.CONFIG)


def checked(name: str) -> int | tuple[Mistake, ...]:
    """Return how many steps a file's plan has, or the mistakes in it."""
    from pipelines import loader, planning
    from pipelines.errors import ConfigError, Mistake, PlanError
    from pipelines.events import Manual

    with click.open_file(name, "rb") as file:
        content: bytes = file.read()
    path = "(standard input)" if name == "-" else name
    try:
        config = loader.load(content, path=path)
        return len(planning.plan(config, Manual(branch="main", commit="0" * 40)).steps)
    except ConfigError as error:
        return error.mistakes
    except PlanError as error:
        cure = "make the matrices smaller"
        return (Mistake(code=error.code, message=str(error), cure=cure, path=path),)


def _show(name: str, found: int | tuple[Mistake, ...]) -> None:
    if isinstance(found, int):
        click.echo(f"{name}: fine, {found} {'step' if found == 1 else 'steps'}")
        return
    from runner.cli.mistakes import explained

    for mistake in found:
        for line in explained(mistake):
            click.echo(line)


def _record(name: str, found: int | tuple[Mistake, ...]) -> dict[str, Any]:
    if isinstance(found, int):
        return {"path": name, "steps": found, "mistakes": []}
    return {"path": name, "steps": None, "mistakes": [_mistake(mistake) for mistake in found]}


def _mistake(mistake: Mistake) -> dict[str, Any]:
    place = mistake.position
    return {
        "code": mistake.code,
        "message": mistake.message,
        "cure": mistake.cure,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "text": mistake.text,
    }
