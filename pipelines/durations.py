"""Lengths of time as people write and read them: `1h30m` in a file, `1m 30s` on a page."""

from __future__ import annotations

import math
import re

from pipelines.errors import ExpressionError

MAX_SECONDS = 365 * 86_400.0
MAX_LENGTH = 64

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"[ ]*([0-9]+(?:\.[0-9]+)?)[ ]*([A-Za-z]*)[ ]*")
_CURE = "write it as `1h30m`, `90s`, `500ms` or `2d`; a bare number means seconds"


def parse_duration(written: str | float) -> float:
    """Return the seconds that a duration stands for.

    A text is one or more numbers, each with one of the units `d h m s ms`, larger units first and
    each at most once; a number alone, as text or not, means seconds. At most 365 days.
    Raises `ExpressionError` whose column is that of the part that is wrong.
    """
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        message = f"a duration is a text or a number, not {type(written).__name__}"
        raise ExpressionError(message, column=1, cure=_CURE)
    seconds = _read(written) if isinstance(written, str) else float(written)
    if not (math.isfinite(seconds) and 0 <= seconds <= MAX_SECONDS):
        message = f"`{written}` is not between 0 and 365 days"
        raise ExpressionError(message, column=1, cure=_CURE)
    return seconds


def _read(text: str) -> float:
    if not text.strip(" ") or len(text) > MAX_LENGTH:
        raise _mistake(0, f"`{text[:MAX_LENGTH]}` is no duration")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    total, place, units = 0.0, 0, list(_UNITS)
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise _mistake(place, f"a number is expected before `{text[place:]}`")
        number, unit = part.groups()
        if unit not in units:
            raise _mistake(part.start(2), _why_not(unit))
        del units[: units.index(unit) + 1]
        total += float(number) * _UNITS[unit]
        place = part.end()
    return total


def _why_not(unit: str) -> str:
    if not unit:
        return "the number has no unit"
    if unit in _UNITS:
        return f"`{unit}` comes after a unit that is not larger"
    return f"`{unit}` is no unit of time"


def _mistake(place: int, message: str) -> ExpressionError:
    return ExpressionError(message, column=place + 1, cure=_CURE)


def format_duration(seconds: float) -> str:
    """Return a length of time, in seconds, for people.

    Its two largest units (`1h 5m`), one decimal under ten seconds (`0.4 s`), milliseconds under a
    tenth of one (`40 ms`).
    """
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds and seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else _two_largest(whole)


def _two_largest(whole: int) -> str:
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = {"d": days, "h": hours, "m": minutes, "s": seconds}
    first = next(place for place, number in enumerate(parts.values()) if number)
    shown = list(parts.items())[first : first + 2]
    return " ".join(f"{number}{unit}" for unit, number in shown if number)
