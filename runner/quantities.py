"""Sizes, durations and processors as people write them in settings: `25 MiB`, `1h30m`, `100m`."""

from __future__ import annotations

import re

from pipelines import durations, quantities
from pipelines.errors import ExpressionError

_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(r"(\d+)\s*([A-Za-z]*)")


def parse_size(text: str) -> int:
    """Return the bytes in `1048576`, `4 MiB` or `1GiB`; raise `ValueError` for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2] not in _UNITS:
        message = "is no size: write bytes, or a number with KiB, MiB, GiB or TiB"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


def parse_duration(text: str) -> float:
    """Return the seconds in `90`, `10m`, `1h30m` or `30d`; raise `ValueError` otherwise."""
    try:
        return durations.parse_duration(text)
    except ExpressionError as error:
        message = f"{error.message}; {error.cure}"
        raise ValueError(message) from error


def parse_processors(text: str) -> float:
    """Return the processors in `2`, `0.5` or `500m`; raise `ValueError` for anything else."""
    try:
        return quantities.parse_processors(text.strip())
    except ExpressionError as error:
        message = f"{error.message}; {error.cure}"
        raise ValueError(message) from error


def show_size(count: int) -> str:
    """Return `count` bytes in the largest unit that divides them."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count and count % _UNITS[unit] == 0:
            return f"{count // _UNITS[unit]} {unit}"
    return f"{count} B"


def show_duration(seconds: float) -> str:
    """Return seconds as `parse_duration` reads them, without the parts that are zero."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    parts = {"d": days, "h": hours, "m": minutes}
    whole = "".join(f"{number}{unit}" for unit, number in parts.items() if number)
    return whole + (f"{rest:g}s" if rest or not whole else "")


def show_processors(count: float) -> str:
    """Return processors as `parse_processors` reads them: `0.1`, `8`."""
    return f"{count:g}"
