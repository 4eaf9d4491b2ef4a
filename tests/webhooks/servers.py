"""A scripted HTTP server on 127.0.0.1 that keeps what it was sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """What to answer: `answers` in turn (the last for ever), `lines` to whoever follows."""

    answers: list[tuple[int, object]]
    lines: Callable[[], Iterable[str]] = lambda: ()
    follow_status: int = 200
    received: list[Received] = field(default_factory=list)
    url: str = ""

    def next_answer(self) -> tuple[int, bytes]:
        status, content = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return status, content if isinstance(content, bytes) else json.dumps(content).encode()


@contextmanager
def served(script: Script) -> Iterator[Script]:
    """Serve a script until the block ends; its `url` is the server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._keep()
            status, body = script.next_answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._keep()
            self.send_response(script.follow_status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in script.lines():
                data = line.encode("utf-8", "surrogateescape") + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _keep(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            script.received.append(Received(self.command, self.path, headers, body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
