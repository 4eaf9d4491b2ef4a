"""The options that many commands share, and how JSON is printed for them."""

from __future__ import annotations

import json
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

repository_option = click.option(
    "--repo", "repository", metavar="NAME", help="The repository, such as acme/demo."
)


def show_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
