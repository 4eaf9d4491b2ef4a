"""The word that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a cure that names the known word nearest to `word`, empty if none is near."""
    words = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:64], words, n=1)
    return f"did you mean `{words[near[0]]}`?" if near else ""
