"""The sign and the colour of every state, the same in tables, graphs and live displays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Sign:
    """One character and a colour that click and rich both know."""

    icon: str
    colour: str


SIGNS: Mapping[str, Sign] = {
    "pending": Sign("·", "white"),
    "queued": Sign("○", "cyan"),
    "running": Sign("▶", "cyan"),
    "retrying": Sign("↻", "yellow"),
    "success": Sign("✓", "green"),
    "warning": Sign("!", "yellow"),
    "failure": Sign("✗", "red"),
    "error": Sign("‼", "red"),
    "cancelled": Sign("⊘", "magenta"),
    "skipped": Sign("\N{EN DASH}", "white"),
    "blocked": Sign("⊗", "magenta"),
}
"""By the words of `pipelines.states`, for steps and runs alike."""

_UNKNOWN = Sign("?", "white")


def icon(state: str) -> str:
    """Return the sign of a state in its colour."""
    sign = SIGNS.get(state, _UNKNOWN)
    return click.style(sign.icon, fg=sign.colour)


def signed(state: str, text: str | None = None) -> str:
    """Return a text, by default the state's name, behind the sign of a state, in its colour."""
    sign = SIGNS.get(state, _UNKNOWN)
    return click.style(f"{sign.icon} {state if text is None else text}", fg=sign.colour)
