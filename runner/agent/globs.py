"""Matches the paths of a workspace against the patterns of `artifacts:`, in bounded time.

`*` stands for any characters within one segment (a leading dot included), `?` for one of them, and
a segment `**` for any number of segments. Everything else stands for itself. A pattern that ends
in `/` means everything below that folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.agent.errors import GlobError

LONGEST = 1024


@dataclass(frozen=True)
class Glob:
    """A pattern, taken apart into its segments; made by `parse`."""

    segments: tuple[str, ...]

    def matches(self, path: str) -> bool:
        """Return whether a path (relative, joined by `/`) fits; never worse than quadratic."""
        return _fits(self.segments, path.split("/"), "**", _segment_fits)


def parse(pattern: str) -> Glob:
    """Return a pattern ready to match; raise `GlobError` for one that could match nothing."""
    if len(pattern) > LONGEST:
        message = f"the pattern `{pattern[:40]}…` is longer than {LONGEST} characters"
        raise GlobError(message)
    segments = [segment for segment in pattern.split("/") if segment not in {"", "."}]
    if pattern.startswith("/") or ".." in segments or not segments:
        message = f"the pattern `{pattern}` must be a path within the workspace"
        raise GlobError(message)
    if pattern.endswith("/"):
        segments.append("**")
    return Glob(tuple(s if s == "**" else re.sub(r"\*+", "*", s) for s in segments))


def _segment_fits(pattern: str, segment: str) -> bool:
    return pattern == segment or _fits(pattern, segment, "*", _character_fits)


def _character_fits(pattern: str, character: str) -> bool:
    return pattern in {"?", character}


def _fits(
    pattern: Sequence[str], items: Sequence[str], star: str, fits: Callable[[str, str], bool]
) -> bool:
    """Match with one way back only, to the last star: what lies before it need not change."""
    place = item = begin = 0
    last_star = -1
    while item < len(items):
        if place < len(pattern) and pattern[place] == star:
            last_star, begin = place, item
            place += 1
        elif place < len(pattern) and fits(pattern[place], items[item]):
            place += 1
            item += 1
        elif last_star >= 0:
            begin += 1
            place, item = last_star + 1, begin
        else:
            return False
    return all(rest == star for rest in pattern[place:])
