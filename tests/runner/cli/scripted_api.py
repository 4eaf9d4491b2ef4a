"""A server on the loopback that answers as a test has written down, and remembers what was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

ROOT = "/api/v1"


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    body: Any
    headers: dict[str, str]


@dataclass
class ScriptedApi:
    """Answers by method and target (path below the root, with its query); 404 for all others."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _answers: dict[tuple[str, str], list[tuple[int, bytes, str]]] = field(default_factory=dict)

    def on(self, method: str, target: str, content: Any = None, status: int = 200) -> None:
        """Answer with JSON; told several times, the answers come in turn, the last one for ever."""
        body = b"" if content is None else json.dumps(content).encode()
        self._add(method, target, status, body, "application/json")

    def text(self, target: str, text: str) -> None:
        """Answer a GET with a text."""
        self._add("GET", target, 200, text.encode(), "text/plain; charset=utf-8")

    def stream(self, target: str, *events: bytes) -> None:
        """Answer a GET with server-sent events, after which the connection ends."""
        self._add("GET", target, 200, b"".join(events), "text/event-stream")

    def refuse(self, method: str, target: str, status: int, message: str, cure: str = "") -> None:
        """Answer with an error in the API's own form."""
        error = {"code": f"code-{status}", "message": message, "cure": cure}
        self.on(method, target, {"error": error}, status)

    def bodies(self, method: str, target: str) -> list[Any]:
        """Return the bodies that were sent to a target."""
        return [a.body for a in self.asked if (a.method, a.target) == (method, target)]

    def _add(self, method: str, target: str, status: int, body: bytes, kind: str) -> None:
        self._answers.setdefault((method, target), []).append((status, body, kind))

    async def answer(self, request: Request) -> Response:
        """Return what the test has written down."""
        path = request.scope["raw_path"].decode().removeprefix(ROOT)
        query = request.scope["query_string"].decode()
        target = f"{path}?{query}" if query else path
        body = await request.body()
        sent = json.loads(body) if body else None
        self.asked.append(Asked(request.method, target, sent, dict(request.headers)))
        waiting = self._answers.get((request.method, target))
        if not waiting:
            error = {"code": "not-found", "message": f"nothing at {target}", "cure": "look around"}
            return Response(json.dumps({"error": error}), 404, media_type="application/json")
        status, content, kind = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if kind == "text/event-stream":
            return StreamingResponse(iter([content]), status, media_type=kind)
        return Response(content, status, media_type=kind)


def event(kind: str, data: Any, event_id: str = "") -> bytes:
    """Return one server-sent event."""
    identity = f"id: {event_id}\n" if event_id else ""
    return f"{identity}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


END = event("end", {})


@contextmanager
def serving() -> Iterator[ScriptedApi]:
    """Serve on a free port of 127.0.0.1 until the context ends."""
    api = ScriptedApi()
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", api.answer, methods=methods)])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    api.url = f"http://127.0.0.1:{port}"
    try:
        yield api
    finally:
        server.should_exit = True
        thread.join()
