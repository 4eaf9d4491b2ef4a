"""Badges: a run's status as a small SVG for a README, from a fixed template.

All text is escaped and stripped of what XML forbids; there is no script, no link and no foreign
object in it, so it can be served from the same origin as the pages.
"""

from __future__ import annotations

import hashlib
import re
from xml.sax.saxutils import escape, quoteattr

from pipelines.states import RunStatus
from webhooks.texts import line

UNKNOWN = "unknown"
LABEL_LIMIT = 40

# White text on each of these keeps a contrast of at least 3:1.
_GREEN, _ORANGE, _RED, _BLUE, _GREY = "#2e7d32", "#b65c00", "#c62828", "#1565c0", "#616161"
_COLOURS = {
    RunStatus.SUCCESS: _GREEN,
    RunStatus.WARNING: _ORANGE,
    RunStatus.FAILURE: _RED,
    RunStatus.ERROR: _RED,
    RunStatus.RUNNING: _BLUE,
    RunStatus.QUEUED: _BLUE,
    RunStatus.CANCELLED: _GREY,
}

# Advance widths of Verdana at 11 px, in tenths of a pixel; what is not here counts as wide.
_WIDTHS = {
    30: "'il",
    39: " f,.j",
    43: "t!",
    47: "rI",
    50: '-/\\()|:;[]J"',
    58: "scz",
    61: "L?",
    65: "kvxyeF",
    67: "aPYTo",
    69: "bdgpqhnu",
    70: "0123456789$*_`E{}",
    76: "ABCKRSVXZ",
    80: "&U",
    84: "HNDG",
    87: "OQ",
    90: "w+<=>^~#",
    93: "M",
    107: "m",
    109: "W@",
    118: "%",
}
_WIDTH_OF = {char: width for width, chars in _WIDTHS.items() for char in chars}
_WIDEST = 110

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label={name}>
<title>{title}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{split}" height="20" fill="#444"/>
<rect x="{split}" width="{rest}" height="20" fill="{colour}"/>
</g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{label_at}" y="14" textLength="{label_long}">{label}</text>
<text x="{status_at}" y="14" textLength="{status_long}">{status}</text>
</g>
</svg>
"""


def badge(label: str, status: RunStatus | None, *, title: str = "") -> str:
    """Return an SVG that says `label` on the left and the status on the right.

    `status` is None where there is no run, or none that may be shown: it reads `unknown`.
    `title` is what a pointer held over it shows; `LABEL: STATUS` if it is empty.
    """
    left = _text(label, LABEL_LIMIT)
    word = UNKNOWN if status is None else str(status)
    name = f"{left}: {word}"
    label_long, status_long = text_width(left), text_width(word)
    split, rest = label_long + 12, status_long + 12
    return _TEMPLATE.format(
        width=split + rest,
        split=split,
        rest=rest,
        colour=_GREY if status is None else _COLOURS[status],
        name=quoteattr(name),
        title=escape(_text(title, 255) or name),
        label=escape(left),
        label_at=split / 2,
        label_long=label_long,
        status=word,
        status_at=split + rest / 2,
        status_long=status_long,
    )


def etag(svg: str) -> str:
    """Return a strong entity tag for a badge, quotes included."""
    return f'"{hashlib.sha256(svg.encode()).hexdigest()[:32]}"'


def text_width(text: str) -> int:
    """Return about how many pixels a text takes in Verdana at 11 px, at least one."""
    tenths = sum(_WIDTH_OF.get(char, _WIDEST) for char in text)
    return max(1, round(tenths / 10))


def _text(value: str, limit: int) -> str:
    return _NOT_XML.sub("", line(value, limit))
