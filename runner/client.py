"""The API of a running Hookline as the command line uses it: requests, streams, and clear errors.

ClientError
├── Unreachable  nobody answers at the address
├── Refused      the server says no; `status` is the HTTP status, `code` the server's own
│   └── NotFound   there is no such thing there (404)
└── BadAnswer    what came back is nothing that Hookline says
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import quote, urlsplit

import httpx2

Json: TypeAlias = dict[str, Any]
Query: TypeAlias = Mapping[str, str | int | None]

TIMEOUT = 30.0
SILENCE = 60.0
"""Seconds after which a stream without any sign of life is opened anew."""

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each try to take up a broken stream; after the last one it is given up."""


class ClientError(Exception):
    """The root of what the client raises: `code` is stable, `cure` says what would be right."""

    code = "client"

    def __init__(self, message: str, *, cure: str = "") -> None:
        self.message = message
        self.cure = cure
        super().__init__(message + (f" ({cure})" if cure else ""))


class Unreachable(ClientError):
    """Nobody answers at the address."""

    code = "unreachable"


class Refused(ClientError):
    """The server says no."""

    def __init__(self, message: str, *, status: int, code: str, cure: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message, cure=cure)


class NotFound(Refused):
    """There is no such thing at the server, or this token may not know of it."""


class BadAnswer(ClientError):
    """What came back is nothing that Hookline says; perhaps somebody else listens there."""

    code = "bad-answer"


@dataclass(frozen=True)
class StreamEvent:
    """One event of a stream: its kind (`run`, `line`, `end`), its id, and what it carries."""

    kind: str
    id: str
    data: Json


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine and nowhere else."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path_of(*parts: str | int) -> str:
    """Return a path below the API's root; each part is one segment, whatever is in it."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


class Client:
    """A connection to the server at `url`; `token` may be None where everything is public."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        pauses: tuple[float, ...] = PAUSES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._pauses = pauses
        self._sleep = sleep
        headers = {"User-Agent": "hookline", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # A proxy from the environment must not get to see what is meant for this machine.
        self._http = httpx2.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=TIMEOUT,
            trust_env=not is_loopback(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Json:
        """Return what is at a path; values of None in `query` are left out. Raises ClientError."""
        return self._json(self._request("GET", path, query=query))

    def post(self, path: str, body: Json) -> Json:
        """Send a JSON object to a path; return the answer. Raises ClientError."""
        return self._json(self._request("POST", path, body=body))

    def delete(self, path: str) -> None:
        """Remove what is at a path. Raises ClientError."""
        self._request("DELETE", path)

    def lines(self, path: str, query: Query | None = None) -> Iterator[str]:
        """Yield the lines of the text at a path, without their ends. Raises ClientError."""
        rest = ""
        try:
            with self._http.stream("GET", path, params=_given(query)) as response:
                self._check_stream(response)
                for chunk in response.iter_text():
                    *whole, rest = (rest + chunk).split("\n")
                    yield from whole
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        if rest:
            yield rest

    def stream(self, path: str, query: Query | None = None) -> Iterator[StreamEvent]:
        """Yield the events at a path up to and with `end`; a broken stream is taken up again.

        Raises ClientError; Unreachable if it breaks off and cannot be taken up.
        """
        last, broken = "", 0
        while True:
            try:
                for event in self._listen(path, query, last):
                    last, broken = event.id or last, 0
                    yield event
                    if event.kind == "end":
                        return
            except httpx2.TransportError as error:
                if not last and not broken and isinstance(error, httpx2.ConnectError):
                    raise self._unreachable(error) from error
            if broken >= len(self._pauses):
                raise Unreachable(
                    f"the server at {self.url} broke off again and again",
                    cure="see whether it still runs",
                )
            self._sleep(self._pauses[broken])
            broken += 1

    def _listen(self, path: str, query: Query | None, last: str) -> Iterator[StreamEvent]:
        headers = {"Last-Event-ID": last} if last else {}
        timeout = httpx2.Timeout(TIMEOUT, read=SILENCE)
        with self._http.sse(path, params=_given(query), headers=headers, timeout=timeout) as source:
            self._check_stream(source.response)
            for event in source:
                yield StreamEvent(event.event, event.id, self._object(event.data or "{}"))

    def _request(
        self, method: str, path: str, *, query: Query | None = None, body: Json | None = None
    ) -> httpx2.Response:
        try:
            response = self._http.request(method, path, params=_given(query), json=body)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        self._check(response)
        return response

    def _unreachable(self, error: httpx2.TransportError) -> Unreachable:
        why = str(error) or type(error).__name__
        return Unreachable(
            f"no server answers at {self.url}: {why}",
            cure="start it with `hookline serve`, or say where it is with --url or HOOKLINE_URL",
        )

    def _check_stream(self, response: httpx2.Response) -> None:
        if not response.is_success:
            response.read()
        self._check(response)

    def _check(self, response: httpx2.Response) -> None:
        """Raise what a refusal means; pass over success."""
        if response.is_success:
            return
        told = _error_in(response)
        status = response.status_code
        message = told.get("message") or f"the server at {self.url} answers with HTTP {status}"
        code, cure = told.get("code") or f"http-{status}", told.get("cure") or ""
        if status == 401:
            raise Refused(message, status=status, code=code, cure=self._cure_of_401())
        if response.is_redirect or not told:
            raise BadAnswer(message, cure=f"see whether {self.url} is the address of a Hookline")
        kind = NotFound if status == 404 else Refused
        raise kind(message, status=status, code=code, cure=cure)

    def _cure_of_401(self) -> str:
        if self._token:
            return "set HOOKLINE_TOKEN to a token that is valid here"
        return "set HOOKLINE_TOKEN to a token of this server"

    def _json(self, response: httpx2.Response) -> Json:
        return self._object(response.text or "{}")

    def _object(self, text: str) -> Json:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            cure = f"see whether {self.url} is the address of a Hookline"
            raise BadAnswer(f"the answer is no JSON object: {text[:80]!r}", cure=cure)
        return found


def _given(query: Query | None) -> dict[str, str | int]:
    return {name: value for name, value in (query or {}).items() if value is not None}


def _error_in(response: httpx2.Response) -> dict[str, str]:
    """Return the server's own words for a refusal; empty if it has none."""
    try:
        told = response.json()["error"]
        return {name: str(told.get(name) or "") for name in ("code", "message", "cure")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
