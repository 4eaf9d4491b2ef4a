"""Lines of a log as HTML: escaped, with the colours that terminals know, and nothing else of them.

What a program writes to move a cursor, set a title, make a link or reach the clipboard is dropped.
The sequences are those of ECMA-48, in their 7-bit and 8-bit forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from markupsafe import Markup, escape

LONGEST = 4000

_SEQUENCE = re.compile(
    r"""
      (?:\x1b\[|\x9b) (?P<sgr>[0-9;:]*) m                                      # colours
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                                     # other control
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)?   # strings
    | \x1b [ -/]* [0-~]?                                                       # other escapes
    | [\x00-\x08\x0a-\x1f\x7f-\x9f]                                            # other controls
    """,
    re.VERBOSE,
)

# The sixteen colours as most terminals have them, to find the nearest to any other.
_PALETTE = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0),
    (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85),
    (85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255),
)  # fmt: skip
_SWITCHES: Mapping[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"underline": True},
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
}
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Style:
    """How text is shown; colours are numbers from 0 to 15."""

    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    foreground: int | None = None
    background: int | None = None

    @property
    def classes(self) -> str:
        """The classes of a span that looks so; empty for plain text."""
        words = [name for name in ("bold", "faint", "italic", "underline") if getattr(self, name)]
        if self.foreground is not None:
            words.append(f"fg{self.foreground}")
        if self.background is not None:
            words.append(f"bg{self.background}")
        return " ".join(words)


PLAIN = Style()


def render(text: str, style: Style = PLAIN) -> tuple[Markup, Style]:
    """Return a line as HTML, and the style that the next line begins with."""
    shown, rest = _visible(text), 0
    if len(shown) > LONGEST:
        shown, rest = shown[:LONGEST], len(shown) - LONGEST
    parts: list[Markup] = []
    place = 0
    for match in chain(_SEQUENCE.finditer(shown), (None,)):
        end = len(shown) if match is None else match.start()
        parts.append(_span(shown[place:end], style))
        if match is not None:
            place = match.end()
            style = style if match["sgr"] is None else _applied(style, match["sgr"])
    if rest:
        parts.append(Markup('<span class="faint">… {} more characters</span>').format(rest))
    return Markup("").join(parts), style


def stripped(text: str) -> str:
    """Return a line without any sequence and control character."""
    return _SEQUENCE.sub("", _visible(text))


def _visible(text: str) -> str:
    """Return what a terminal shows in the end of a line that was written over with `\\r`."""
    if "\r" not in text:
        return text
    for part in reversed(text.split("\r")):
        if _SEQUENCE.sub("", part).strip():
            return part
    return ""


def _span(text: str, style: Style) -> Markup:
    if not text or not style.classes:
        return escape(text)
    return Markup('<span class="{}">{}</span>').format(style.classes, text)


def _applied(style: Style, parameters: str) -> Style:
    numbers = iter([int(p[:9]) if p else 0 for p in re.split("[;:]", parameters)[:32]])
    for number in numbers:
        style = _changed(style, number, numbers)
    return style


def _changed(style: Style, number: int, rest: Iterator[int]) -> Style:
    """Return a style after one parameter (ECMA-48, 8.3.117); some take more from `rest`."""
    if number == 0:
        return PLAIN
    if number == 38:
        return replace(style, foreground=_extended(rest))
    if number == 48:
        return replace(style, background=_extended(rest))
    if number in _SWITCHES:
        return replace(style, **_SWITCHES[number])
    return _coloured(style, number)


def _coloured(style: Style, number: int) -> Style:
    if number == 39:
        return replace(style, foreground=None)
    if number == 49:
        return replace(style, background=None)
    for first, colour in ((30, 0), (90, 8)):
        if first <= number < first + 8:
            return replace(style, foreground=number - first + colour)
        if first + 10 <= number < first + 18:
            return replace(style, background=number - first - 10 + colour)
    return style


def _extended(rest: Iterator[int]) -> int | None:
    """Return the nearest of the sixteen to a colour of 256, or of three bytes; None for neither."""
    kind = next(rest, 0)
    if kind == 5:
        return _of_256(min(next(rest, 0), 255))
    if kind == 2:
        red, green, blue = (min(next(rest, 0), 255) for _ in range(3))
        return _nearest(red, green, blue)
    return None


def _of_256(number: int) -> int:
    if number < 16:
        return number
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return _nearest(grey, grey, grey)
    number -= 16
    return _nearest(_CUBE[number // 36], _CUBE[number // 6 % 6], _CUBE[number % 6])


def _nearest(red: int, green: int, blue: int) -> int:
    def distance(index: int) -> int:
        r, g, b = _PALETTE[index]
        return (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2

    return min(range(16), key=distance)
