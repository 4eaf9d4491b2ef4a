"""Times as people read them on a screen: how long something took, and how long ago it was."""

from __future__ import annotations

from datetime import datetime

from pipelines.durations import format_duration


def took(start: float | None, end: float | None) -> str:
    """Return how long something took, from and to in seconds since the epoch; empty if unknown."""
    if start is None or end is None:
        return ""
    return format_duration(max(end - start, 0.0))


def ago(at: float | None, now: float) -> str:
    """Return how long ago a moment was, both in seconds since the epoch."""
    if at is None:
        return ""
    seconds = max(now - at, 0.0)
    return "now" if seconds < 1 else f"{format_duration(round(seconds))} ago"


def full_time(at: float | None) -> str:
    """Return a moment as local date and time with its offset from UTC; empty for None."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
