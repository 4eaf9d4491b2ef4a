"""The pages' own files: stylesheet, script, icon."""

from __future__ import annotations

from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class _Fresh(StaticFiles):
    """Files that a browser asks about each time and, by their ETag, seldom fetches."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return a file, or that it is still the same."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def static_files() -> Mount:
    """Return the route of the files."""
    return Mount("/static", _Fresh(directory=Path(__file__).parent / "static"), name="static")
