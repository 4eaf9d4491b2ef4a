"""Templates to pages: everything in them is escaped unless it was made as markup here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2
from starlette.responses import HTMLResponse, Response

from runner.web import words


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=words.moment,
        iso=words.iso,
        headline=words.headline,
        bytes=words.size,
        run_phrase=words.run_phrase,
        place=words.place,
    )
    environment.globals.update(duration=words.duration)
    return environment


def page(template: str, status: int = 200, **values: object) -> Response:
    """Return a page; text that UTF-8 cannot hold is shown as `?`."""
    text = _templates().get_template(template).render(values)
    return HTMLResponse(text.encode("utf-8", "replace"), status)
