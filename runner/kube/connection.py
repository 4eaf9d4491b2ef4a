"""One connection pool to one API server: requests and streams of plain JSON and bytes.

The `kubernetes` package knows where the server is, who we are and whom to trust (`kubeconfig`), and
makes the pool. Its models and generated methods stay out: they change between its versions, refuse
fields they do not know, and cost 90 MB of memory.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError

from runner.kube.errors import Silence, Unreachable, Untrusted, refusal

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
CHUNK = 64 * 1024


class Stream:
    """The body of an answer as it comes; `abort` may be called from any thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse, doing: str) -> None:
        self._response = response
        self._doing = doing
        self._aborted = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces of any size until the server ends the answer or `abort` is called.

        Raise `Silence` if nothing came for the read timeout, `Unreachable` if it broke off.
        """
        try:
            yield from self._response.stream(CHUNK, decode_content=True)
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            if self._aborted.is_set():
                return
            if isinstance(error, ReadTimeoutError | TimeoutError):
                message = f"{self._doing}: nothing was heard for too long"
                raise Silence(message) from error
            message = f"{self._doing}: the connection broke: {error}"
            raise Unreachable(message) from error

    def abort(self) -> None:
        """End the reading at once, whoever reads; done twice it changes nothing."""
        self._aborted.set()
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it has ended by itself


class Connection:
    """Carries requests to the API server; safe from any thread."""

    def __init__(self, found: Configuration, *, width: int) -> None:
        """Make one for a configuration; `width` is how many connections are kept for reuse."""
        found.connection_pool_maxsize = width
        self._configuration = found
        self._signing = threading.Lock()
        self._base = found.host.rstrip("/")
        self._pool = RESTClientObject(found).pool_manager

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        doing: str = "",
    ) -> dict[str, Any]:
        """Send one request and return its answer's JSON object; raise `KubeError`."""
        response = self._send(method, path, query, body, content_type, READ_TIMEOUT, doing)
        try:
            data = response.read(decode_content=True)
        except (HTTPError, OSError) as error:
            message = f"{doing}: the answer broke off: {error}"
            raise Unreachable(message) from error
        _check(response, data, doing)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            message = f"{doing}: the answer is not JSON; is {self._base} an API server?"
            raise Unreachable(message)
        return answer

    def stream(
        self, path: str, *, query: Mapping[str, str], silence: float, doing: str = ""
    ) -> Stream:
        """Ask for an answer that comes piece by piece; `silence` is the longest pause, seconds."""
        response = self._send("GET", path, query, None, "", silence, doing)
        if response.status >= 300:
            with response:
                _check(response, response.read(decode_content=True), doing)
        return Stream(response, doing)

    def close(self) -> None:
        """Close the connections that are idle; streams end by themselves."""
        self._pool.clear()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
        read_timeout: float,
        doing: str,
    ) -> urllib3.BaseHTTPResponse:
        asked = f"?{urlencode(query)}" if query else ""
        try:
            return self._pool.request(
                method,
                f"{self._base}{quote(path)}{asked}",
                body=None if body is None else json.dumps(body).encode(),
                headers=self._headers(content_type if body is not None else ""),
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            message = f"{doing}: the API server at {self._base} cannot be reached: {error}"
            kind = Untrusted if isinstance(error, SSLError) else Unreachable
            raise kind(message) from error

    def _headers(self, content_type: str) -> dict[str, str]:
        """Return the headers of a request; the token is read again when it is due."""
        headers = {"Accept": "application/json, */*", "User-Agent": "hookline"}
        if content_type:
            headers["Content-Type"] = content_type
        try:
            with self._signing:
                signatures = cast(dict[str, Any], self._configuration.auth_settings())
        except (ConfigException, OSError) as error:
            message = f"the credential for {self._base} cannot be read: {error}"
            raise Unreachable(message) from error
        for signature in signatures.values():
            headers[signature["key"]] = signature["value"]
        return headers


def _check(response: urllib3.BaseHTTPResponse, data: bytes, doing: str) -> None:
    if response.status >= 300:
        raise refusal(response.status, data, response.headers, doing)
