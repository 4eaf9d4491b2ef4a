"""Tables for people: columns as wide as they need to be, the last one cut where the screen ends."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes; colours take none."""
    from rich.cells import cell_len

    return cell_len(click.unstyle(text))


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None
) -> list[str]:
    """Return the lines of a table; cells may be coloured. `width` cuts the last column."""
    every = [list(headers), *(list(row) for row in rows)]
    widths = [max(width_of(row[place]) for row in every) for place in range(len(headers))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    lines = []
    for row in every:
        cells = [cell + " " * (widths[p] - width_of(cell)) for p, cell in enumerate(row[:-1])]
        last = row[-1] if width is None else cut(row[-1], max(width - before, 8))
        lines.append("  ".join([*cells, last]).rstrip())
    lines[0] = click.style(lines[0], bold=True)
    return lines


def cut(text: str, width: int) -> str:
    """Return a text that takes at most `width` columns, with `…` where something is missing."""
    from rich.cells import set_cell_size

    if width_of(text) <= width:
        return text
    return set_cell_size(click.unstyle(text), width - 1).rstrip() + "…"


def screen_width() -> int | None:
    """Return the columns of the terminal that is printed to; None if it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print a table as wide as the screen, or a sentence if it would have no rows."""
    if not rows:
        click.echo(empty)
        return
    for line in table(headers, rows, screen_width()):
        click.echo(line)
