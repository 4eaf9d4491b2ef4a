"""What went wrong, as a page: what happened, what would be right, and a way on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from runner.api.errors import ApiError
from runner.api.headers import SECURITY
from runner.web.rendering import page

_HIDDEN = frozenset({401, 404})


def error_page(request: Request, error: ApiError) -> Response:
    """Return the page of an error; who might see more after logging in is told so."""
    came_from = request.url.path if request.method == "GET" else "/"
    answer = page(
        "error.html",
        error.status,
        error=error,
        visitor=None,
        came_from=came_from,
        may_be_hidden=error.status in _HIDDEN,
    )
    answer.headers.update({**SECURITY, **error.headers})
    return answer
