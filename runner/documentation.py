"""Writes into the pages what is made from the code: `python -m runner.documentation`.

A page holds `<!-- begin NAME -->` and `<!-- end NAME -->`; what stands between them is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines import reference
from runner import settings

PAGES = Path("docs")

PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "settings.md": {"settings": settings.reference},
    "ci-yaml.md": {
        "keys": reference.keys,
        "variables": reference.variables,
        "event": reference.event_fields,
    },
}


def filled(page: str, text: str) -> str:
    """Return a page's text with its made parts made anew; raises LookupError if one has no place."""
    for name, make in PARTS[page].items():
        place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not place.search(text):
            message = f"{page} has no place for {name}"
            raise LookupError(message)
        made = make()
        text = place.sub(lambda found, made=made: found[1] + made + found[2], text)  # type: ignore[misc]
    return text


def main() -> None:
    """Write all pages."""
    for page in PARTS:
        path = PAGES / page
        path.write_text(filled(page, path.read_text()))


if __name__ == "__main__":
    main()
