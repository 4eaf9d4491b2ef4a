"""Connections to the object store that are kept open: one request at a time on each.

Nothing that is raised here holds an address: presigned ones let their holder in.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from runner.agent.pod.multipart import Bytes

# Seconds in which a server must take or give something; one that does not is away.
PATIENCE = 30.0

_Origin: TypeAlias = tuple[str, str]


class Unreachable(Exception):
    """The server could not be talked with, for a reason that may pass; the message is short."""


class Distrusted(Exception):
    """The server is not who it should be; to try again would not help."""


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes


class Connections:
    """HTTP/1.1, over TLS where the address says so; safe from any thread.

    `ca` holds the certificates (PEM) of those who may vouch for the server; if it is empty, the
    machine's own are believed.
    """

    def __init__(self, ca: str = "", patience: float = PATIENCE) -> None:
        self._ca = ca
        self._patience = patience
        self._lock = threading.Lock()
        self._idle: defaultdict[_Origin, list[http.client.HTTPConnection]] = defaultdict(list)
        self._context: ssl.SSLContext | None = None

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Sequence[Bytes] = ()
    ) -> Reply:
        """Return the answer to a request; raise `Unreachable` or `Distrusted`."""
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        request = _Request(method, target, headers, body)
        try:
            return self._exchange(origin, request)
        except ssl.SSLCertVerificationError as error:
            message = f"its certificate is not trusted ({error.verify_message})"
            raise Distrusted(message) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self._reason(error)) from error
        except ValueError as error:
            raise Distrusted("its address makes no sense") from error

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            idle = [connection for found in self._idle.values() for connection in found]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _exchange(self, origin: _Origin, request: _Request) -> Reply:
        """Ask over a connection that is open, or else, also if that has been closed, a new one."""
        with self._lock:
            idle = self._idle[origin]
            connection = idle.pop() if idle else None
        if connection is not None:
            try:
                return self._converse(origin, connection, request)
            except (ConnectionError, http.client.BadStatusLine):
                pass
        return self._converse(origin, self._connect(origin), request)

    def _connect(self, origin: _Origin) -> http.client.HTTPConnection:
        scheme, netloc = origin
        if scheme == "http":
            return http.client.HTTPConnection(netloc, timeout=self._patience)
        if scheme != "https":
            message = "neither http nor https"
            raise ValueError(message)
        return http.client.HTTPSConnection(netloc, timeout=self._patience, context=self._trust())

    def _trust(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                try:
                    self._context = ssl.create_default_context(cadata=self._ca or None)
                except ssl.SSLError as error:
                    message = "the certificates that should vouch for it (HOOKLINE_CA) are none"
                    raise Distrusted(message) from error
            return self._context

    def _converse(
        self, origin: _Origin, connection: http.client.HTTPConnection, request: _Request
    ) -> Reply:
        try:
            whole = request.send(connection)
            response = connection.getresponse()
            reply = Reply(response.status, response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close or not whole:
            connection.close()
        else:
            with self._lock:
                self._idle[origin].append(connection)
        return reply

    def _reason(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"no answer within {self._patience:g}s"
            case http.client.RemoteDisconnected():
                return "the connection was closed"
            case http.client.IncompleteRead():
                return "the answer was cut off"
            case OSError():
                return (error.strerror or type(error).__name__).lower()
            case _:
                return "the answer is not HTTP"


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: Sequence[Bytes]

    def send(self, connection: http.client.HTTPConnection) -> bool:
        """Send it; return False if the server closed before it had read all of the body."""
        try:
            connection.request(self.method, self.target, self.body or None, dict(self.headers))
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered before, and that answer says why it did not want the body.
            if not self.body:
                raise
            return False
        return True
