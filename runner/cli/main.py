"""The entry point of `hookline`: which commands there are, and what holds for all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from runner.cli.lazy import LazyGroup

COMMANDS: Mapping[str, str] = {
    "run": "runner.cli.run:run",
    "lint": "runner.cli.lint:lint",
    "graph": "runner.cli.graph:graph",
    "serve": "runner.cli.serve:serve",
    "config": "runner.cli.config:config",
    "repo": "runner.cli.repositories:repo",
    "hook": "runner.cli.hooks:hook",
    "secret": "runner.cli.secrets:secret",
    "deliveries": "runner.cli.deliveries:deliveries",
    "runs": "runner.cli.runs:runs",
    "show": "runner.cli.show:show",
    "logs": "runner.cli.logs:logs",
    "rerun": "runner.cli.asking:rerun",
    "cancel": "runner.cli.asking:cancel",
    "token": "runner.cli.tokens:token",
    "sweep": "runner.cli.sweep:sweep",
    "version": "runner.cli.version:version",
}


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from runner.cli.version import installed

        click.echo(f"hookline {installed()}")
        ctx.exit()


@click.group(
    cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def hookline(ctx: click.Context) -> None:
    """Hookline: a push becomes a graph of steps, and the result comes back on the commit.

    `hookline run` runs the pipeline of this checkout on this machine; `hookline serve` starts a
    server. Other commands speak to a server: the one of --url, HOOKLINE_URL or the settings, with
    the token in HOOKLINE_TOKEN or, on the server's own machine, the one it leaves for its user.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign shows a question mark, and the command goes on.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    hookline(prog_name="hookline")


if __name__ == "__main__":
    main()
