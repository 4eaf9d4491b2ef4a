"""`hookline config`: every setting with its value and where that comes from."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import json_option, show_json

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The settings file; else HOOKLINE_CONFIG, else hookline.toml.",
)


@click.command(short_help="Show every setting and where it comes from.")
@config_option
@json_option
def config(config_file: Path | None, as_json: bool) -> None:
    """Show every setting, its value, and where it was found; secrets stay hidden.

    \b
    Example: HOOKLINE_LISTEN__PORT=9000 hookline config
    """
    from runner import settings
    from runner.cli.tables import show_table

    rows = settings.explain(settings.load(config_file))
    if as_json:
        show_json({"settings": [vars(row) for row in rows]})
        return
    cells = [(row.name, row.value, row.source, row.description) for row in rows]
    show_table(("SETTING", "VALUE", "SOURCE", "MEANING"), cells, empty="there are no settings")
