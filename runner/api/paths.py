"""Routes whose parts may hold any character, slashes included, as long as they are encoded.

The name of a step is `test (image=debian/12)` and an artifact may lie in a folder `log`: a server
that decodes a path before it is matched cannot tell such a name from the path around it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.routing import Match, Route
from starlette.types import Scope


class EncodedRoute(Route):
    """A route that is matched against the path as it was sent; its parameters are decoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route takes a request, and the parameters in its path."""
        raw = scope.get("raw_path")
        if scope["type"] != "http" or raw is None:
            return super().matches(scope)
        as_sent = {**scope, "path": raw.partition(b"?")[0].decode("ascii", "replace")}
        match, found = super().matches(as_sent)
        if match is not Match.NONE:
            params = found["path_params"]
            found["path_params"] = {name: unquote(str(value)) for name, value in params.items()}
        return match, found


def encoded(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")
