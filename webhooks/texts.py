"""Text that others wrote, made fit to be kept and shown: cut, and without what breaks a store."""

from __future__ import annotations

import re
import unicodedata

MESSAGE_LIMIT = 4096
TITLE_LIMIT = 255

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def clean(value: object, limit: int = TITLE_LIMIT) -> str:
    """Return a text of at most `limit` characters without NUL and lone surrogates.

    What is not text gives an empty text. What was cut ends with an ellipsis.
    """
    if not isinstance(value, str):
        return ""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", cut(value, limit))


def line(value: str, limit: int = 140) -> str:
    """Return a text as one line of at most `limit` characters without control characters."""
    kept = [" " if char.isspace() else char for char in value if _printable(char)]
    return cut(" ".join("".join(kept).split()), limit)


def shown(value: object, limit: int = 80) -> str:
    """Return a hostile value for a message: a text quoted, escaped and cut, else its kind only."""
    if isinstance(value, str):
        return ascii(cut(value, limit))
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, the last an ellipsis if something is gone."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _printable(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in ("Cc", "Cs")
