"""A forge to post commit statuses to: as strict as the real ones, and as unreliable as told to be.

Speaks GitHub's `POST /repos/{owner}/{name}/statuses/{sha}` and Gitea's, the same under `/api/v1`.

    with FakeForge(token="t0ken") as forge:
        forge.fault(rate_limited(retry_after=1), times=2)
        ...                                     # post to forge.url
        forge.wait_for(lambda: forge.states(sha) == ["pending", "success"])
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeAlias

from tests.support.loopback import LoopbackServer, QuietHandler, serving


class Dialect(StrEnum):
    """Whose API a request was made to."""

    GITHUB = "github"
    GITEA = "gitea"


_ROUTES = {
    Dialect.GITHUB: re.compile(r"/repos/([^/]+/[^/]+)/statuses/([^/]+)"),
    Dialect.GITEA: re.compile(r"/api/v1/repos/([^/]+/[^/]+)/statuses/([^/]+)"),
}
_STATES = {
    Dialect.GITHUB: {"pending", "success", "failure", "error"},
    Dialect.GITEA: {"pending", "success", "failure", "error", "warning"},
}
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TEXTS = ("state", "context", "description", "target_url")
# Of GitHub; Gitea sets no limit that a status could reach.
_LONGEST = {"description": 140, "context": 255}
MOST_STATUSES = 1000
TOO_MANY = "This SHA and context has reached the maximum number of statuses."


@dataclass(frozen=True)
class Reply:
    """An answer; as a fault, one that comes before the request is even looked at."""

    code: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HangUp:
    """The request is carried out, and the connection closed without an answer."""


@dataclass(frozen=True)
class Slow:
    """The request is answered as ever, but only after some seconds."""

    seconds: float


Fault: TypeAlias = Reply | HangUp | Slow


def rate_limited(retry_after: int) -> Reply:
    """Return the answer to one who asks too often, to be tried again after some seconds."""
    return Reply(429, "You have exceeded a rate limit", {"Retry-After": str(retry_after)})


def quota_spent(reset: int) -> Reply:
    """Return GitHub's answer when nothing is left until a time in seconds since the epoch."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    return Reply(403, "API rate limit exceeded", headers)


def secondary_limit() -> Reply:
    """Return GitHub's answer to one who writes too fast; it does not say how long to wait."""
    return Reply(403, "You have exceeded a secondary rate limit. Please wait a few minutes.")


def broken(code: int = 502) -> Reply:
    """Return the answer of a forge that is down."""
    return Reply(code, "Server Error")


def not_found() -> Reply:
    """Return the answer of a machine that has not heard of the commit yet."""
    return Reply(404, "Not Found")


def too_many_statuses() -> Reply:
    """Return GitHub's answer to the status after the last that one commit and context may have."""
    return Reply(422, TOO_MANY)


@dataclass(frozen=True)
class Post:
    """A status that was posted, and how it was answered; texts are "" where nothing was sent."""

    dialect: Dialect
    repository: str
    sha: str
    code: int
    message: str = ""
    state: str = ""
    context: str = "default"
    description: str = ""
    target_url: str = ""

    @property
    def accepted(self) -> bool:
        return self.code == 201


class FakeForge:
    """A forge on this machine; `posts` is all that was sent to it, in order.

    Everything in it is safe from any thread.
    """

    def __init__(self, *, token: str = "t0ken", unknown: tuple[str, ...] = ()) -> None:
        """Make a forge that takes one token, and knows every repository but the unknown ones."""
        self._token = token
        self._unknown = unknown
        self._posts: list[Post] = []
        self._faults: deque[Fault | None] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = LoopbackServer(_handler(self))
        self._serving = serving(self._server)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._serving.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """The address of GitHub's API here; Gitea's lies below it."""
        return self._server.url

    @property
    def posts(self) -> tuple[Post, ...]:
        """All that was posted so far, accepted or not."""
        with self._changed:
            return tuple(self._posts)

    def statuses(self, sha: str) -> tuple[Post, ...]:
        """Return the statuses of a commit that were accepted, in order."""
        return tuple(post for post in self.posts if post.accepted and post.sha == sha)

    def states(self, sha: str, context: str | None = None) -> list[str]:
        """Return the states that a commit had, in order: of one context, or of all."""
        return [
            post.state for post in self.statuses(sha) if context is None or post.context == context
        ]

    def fault(self, fault: Fault | None, times: int = 1) -> None:
        """Let the requests that follow those spoken for already go wrong; None lets one pass."""
        with self._changed:
            self._faults.extend([fault] * times)

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        with self._changed:
            self._faults.clear()

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until something is true of the forge; raise `TimeoutError` after some seconds."""
        with self._changed:
            if not self._changed.wait_for(predicate, timeout):
                told = "\n  ".join(map(str, self._posts)) or "(nothing)"
                message = f"after {timeout:g} seconds this is what was posted:\n  {told}"
                raise TimeoutError(message)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Carry out a request and return its answer, None to hang up without one."""
        with self._changed:
            fault = self._faults.popleft() if self._faults else None
        if isinstance(fault, Slow):
            self._closing.wait(fault.seconds)
        with self._changed:
            reply = self._judge(path, headers, body, fault if isinstance(fault, Reply) else None)
            self._changed.notify_all()
        return None if isinstance(fault, HangUp) else reply

    def _judge(
        self, path: str, headers: Mapping[str, str], body: bytes, fault: Reply | None
    ) -> Reply:
        route = _route(path)
        if route is None:
            return Reply(404, "Not Found")
        dialect, repository, sha = route
        sent, problem = _parsed(body)
        reply = fault or self._refused(dialect, repository, sha, headers, sent, problem)
        reply = reply or Reply(201)
        texts = {name: str(sent[name]) for name in _TEXTS if sent.get(name)}
        post = Post(dialect, repository, sha, reply.code, reply.message, **texts)
        self._posts.append(post)
        return reply

    def _refused(
        self,
        dialect: Dialect,
        repository: str,
        sha: str,
        headers: Mapping[str, str],
        sent: Mapping[str, Any],
        problem: str,
    ) -> Reply | None:
        if headers.get("Authorization") not in (f"Bearer {self._token}", f"token {self._token}"):
            return Reply(401, "Bad credentials")
        if dialect is Dialect.GITHUB and not headers.get("User-Agent"):
            return Reply(403, "Request forbidden by administrative rules")
        if repository in self._unknown:
            return Reply(404, "Not Found")
        if headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            return Reply(415, "Content-Type is not application/json")
        if problem:
            return Reply(400, problem)
        if complaint := _complaint(dialect, sha, sent) or self._exhausted(dialect, sha, sent):
            return Reply(422, complaint)
        return None

    def _exhausted(self, dialect: Dialect, sha: str, sent: Mapping[str, Any]) -> str:
        context = sent.get("context") or "default"
        earlier = sum(
            1
            for post in self._posts
            if post.accepted and (post.sha, post.context) == (sha, context)
        )
        full = dialect is Dialect.GITHUB and earlier >= MOST_STATUSES
        return TOO_MANY if full else ""


def _route(path: str) -> tuple[Dialect, str, str] | None:
    for dialect, pattern in _ROUTES.items():
        if found := pattern.fullmatch(path):
            return dialect, found[1], found[2]
    return None


def _parsed(body: bytes) -> tuple[dict[str, Any], str]:
    """Return the object that was sent and what is wrong with it: one of the two is empty."""
    try:
        sent = json.loads(body)
    except ValueError:
        return {}, "Problems parsing JSON"
    if not isinstance(sent, dict):
        return {}, "Body should be a JSON object"
    return sent, ""


def _complaint(dialect: Dialect, sha: str, sent: Mapping[str, Any]) -> str:
    """Return what is wrong with a status, "" if nothing is."""
    if not _SHA.fullmatch(sha):
        return f"No commit found for SHA: {sha}"
    if odd := [name for name in _TEXTS if not isinstance(sent.get(name), str | None)]:
        return f"{odd[0]} is not a string"
    if sent.get("state") not in _STATES[dialect]:
        return "state is not included in the list"
    if sent.get("target_url") and not re.match(r"https?://[^/\s]+", sent["target_url"]):
        return "target_url must use http(s) scheme"
    if dialect is Dialect.GITHUB:
        for name, limit in _LONGEST.items():
            if len(sent.get(name) or "") > limit:
                return f"{name} is too long (maximum is {limit} characters)"
    return ""


def _handler(forge: FakeForge) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            headers = {name.title(): value for name, value in self.headers.items()}
            reply = forge.take(self.path, headers, self.body())
            if reply is None:
                self.close_connection = True
                return
            content = {"message": reply.message} if reply.code >= 400 else {"id": 1}
            kind = {"Content-Type": "application/json; charset=utf-8"}
            self.answer(reply.code, {**kind, **reply.headers}, json.dumps(content).encode())

    return Handler
