"""A mistake in a pipeline file as a person wants to see it: what, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipelines.errors import Mistake
from runner.cli.tables import width_of


def explained(mistake: Mistake) -> Iterator[str]:
    """Yield the lines that show a mistake: what, the line it is in, and below the place the cure."""
    where = click.style(mistake.where, bold=True)
    yield f"{where}: {click.style(mistake.message, fg='red')}"
    if mistake.position is None or not mistake.text.strip():
        if mistake.cure:
            yield f"    {mistake.cure}"
        return
    line, text = mistake.position.line, mistake.text.replace("\t", " ")
    gutter = f"{line:>5} | "
    yield f"{gutter}{text}"
    before = width_of(text[: mistake.position.column - 1])
    blank = " " * (len(gutter) - 2) + "| "
    yield f"{blank}{' ' * before}{click.style('^', fg='red')} {mistake.cure}".rstrip()
