"""`hookline run`: the pipeline of a checkout, run on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.event_option import event_option
from runner.cli.secret_option import given_secrets, secret_option

if TYPE_CHECKING:
    from pipelines.plan import Plan
    from runner.cli.displays import Display


@click.command(short_help="Run the pipeline of a checkout here and now.")
@click.argument(
    "path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The pipeline file; else .ci.yaml at the top of the checkout.",
)
@event_option
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A variable for every step.")
@secret_option
@click.option(
    "--pass-env",
    multiple=True,
    metavar="GLOB",
    help="Variables of this shell that steps may see, besides PATH and a few others.",
)
@click.option(
    "--artifacts",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write artifacts here, in one folder for each step.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="How many steps may run at once."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line as it happens.")
@click.option("--no-color", is_flag=True, help="Print without colours.")
@click.pass_context
def run(
    ctx: click.Context,
    path: Path,
    file: Path | None,
    event: str | None,
    env: tuple[str, ...],
    secrets: tuple[str, ...],
    pass_env: tuple[str, ...],
    artifacts: Path | None,
    jobs: int | None,
    as_json: bool,
    no_color: bool,
) -> None:
    """Run the pipeline of the checkout at PATH, uncommitted changes included.

    Steps run as processes of this machine, each in a copy of the files; nothing in the checkout
    is changed. Ctrl-C asks the steps to end and lets `finally` run; a second one gives up.

    With --json each line is an object: `step` and `state` when a step begins, is tried again or
    ends; `step` and `line` for what it writes; and at last `run` and `steps`, the whole result.

    \b
    Example: hookline run --event tag:v1.0 --env STAGE=test --artifacts out
    """
    import os
    import time

    from runner.cli.local import carry_out
    from runner.local_run import open_local_run

    if no_color:
        ctx.color = False
    given = given_secrets(secrets, os.environ)
    opened = open_local_run(
        path,
        file=file,
        event=event,
        env=variables(env),
        secrets=given,
        pass_environment=pass_env or None,
        jobs=jobs,
    )
    with opened as local:
        display = chosen(local.plan, as_json=as_json, colours=ctx.color is not False)
        for name in unused(given, local.plan):
            display.note(f"no step names the secret {name}")
        code = carry_out(local, display, time.monotonic, artifacts)
    ctx.exit(code)


def variables(written: tuple[str, ...]) -> Mapping[str, str]:
    """Return what NAME=VALUE options say. Raises UsageError."""
    found = {}
    for text in written:
        name, sign, value = text.partition("=")
        if not sign or not name:
            message = f"{text!r} is no variable; write --env NAME=VALUE, or --pass-env NAME"
            raise click.UsageError(message)
        found[name] = value
    return found


def unused(given: Iterable[str], plan: Plan) -> list[str]:
    """Return the secrets that were given and that no step of the plan names."""
    named = {name for step in plan.steps.values() for name in step.secrets}
    return [name for name in given if name not in named]


def chosen(plan: Plan, *, as_json: bool, colours: bool) -> Display:
    """Return the display that fits where the output goes."""
    from runner.cli.displays import JsonDisplay, PlainDisplay

    if as_json:
        return JsonDisplay(click.echo)
    if not sys.stdout.isatty():
        return PlainDisplay(click.echo)
    import time

    from rich.console import Console

    from runner.cli.live import LiveDisplay

    return LiveDisplay(Console(no_color=not colours, highlight=False), plan, time.time)
