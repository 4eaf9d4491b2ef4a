from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match

from runner.api.paths import EncodedRoute, encoded


def endpoint(request: Request) -> Response:
    return PlainTextResponse(str(request.path_params))


ROUTE = EncodedRoute("/runs/{id}/steps/{step}/log", endpoint)


def scope(path: str, raw: bytes | None) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "raw_path": raw, "path_params": {}}


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "a (x=1, y=2)", "100%", "%2F", "a?b#c", "ü", "a/log"]
)
def test_any_name_is_one_part_of_a_path(name: str) -> None:
    raw = f"/runs/1/steps/{encoded(name)}/log".encode()
    match, found = ROUTE.matches(scope(f"/runs/1/steps/{name}/log", raw))
    assert match is Match.FULL
    assert found["path_params"] == {"id": "1", "step": name}


def test_a_server_that_does_not_tell_the_path_as_sent() -> None:
    match, found = ROUTE.matches(scope("/runs/1/steps/a b/log", None))
    assert match is Match.FULL
    assert found["path_params"]["step"] == "a b"


def test_what_is_not_http_is_not_taken() -> None:
    assert ROUTE.matches({"type": "websocket", "path": "/", "raw_path": b"/"})[0] is Match.NONE
