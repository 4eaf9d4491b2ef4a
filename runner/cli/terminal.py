"""Text from elsewhere made safe to show: it may have colours, and steers the terminal no further."""

from __future__ import annotations

import re

_COLOUR = r"\x1b\[[0-9;:]*m"
_SEQUENCE = re.compile(
    r"""(?P<colour>\x1b\[[0-9;:]*m)
      | \x1b\[[0-?]*[\ -/]*[@-~]?            # moves, clears, modes
      | \x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?  # titles, links, and other strings
      | \x1b[\ -/]*[0-~]?                    # all other escapes
      | (?P<tab>\t)
      | [\x00-\x1f\x7f-\x9f]                 # control characters
      | [\u202a-\u202e\u2066-\u2069\u2028\u2029]  # what turns the direction of text around
    """,
    re.VERBOSE,
)
_RESET = "\x1b[0m"


def shown(text: str, *, colours: bool = False) -> str:
    """Return a line that may be printed; with `colours` it keeps those and ends without any.

    Of a line that was written over itself, as progress bars are, the last state is kept.
    """
    text = text.rstrip("\r").rpartition("\r")[2]
    coloured = False

    def keep(found: re.Match[str]) -> str:
        nonlocal coloured
        if colours and found["colour"]:
            coloured = True
            return found["colour"]
        return "    " if found["tab"] else ""

    plain = _SEQUENCE.sub(keep, text)
    return plain + _RESET if coloured else plain


def first_line(text: str, limit: int = 200) -> str:
    """Return the first line of a text, made safe to show, at most `limit` characters long."""
    line = shown(text.strip().partition("\n")[0])
    return line if len(line) <= limit else line[: limit - 1] + "…"
