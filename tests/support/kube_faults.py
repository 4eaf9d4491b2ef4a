"""What can go wrong at the API server of `fake_kube`: answers, hang-ups, and unwell streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Answer:
    """An answer that comes before the request is even looked at."""

    status: int
    reason: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: int | None = None

    @property
    def body(self) -> bytes:
        """The `Status` object that says so."""
        return json.dumps(status_object(self.status, self.reason, self.message)).encode()


@dataclass(frozen=True)
class Garbage:
    """An answer with some bytes that are no JSON, as a proxy gives it."""

    status: int = 200
    body: bytes = b"<html>not here</html>"


@dataclass(frozen=True)
class Torn:
    """The connection is closed in the middle of the answer, and nothing is carried out."""


@dataclass(frozen=True)
class HangUp:
    """The connection is closed without an answer; `done`: the request is carried out."""

    done: bool = False


@dataclass(frozen=True)
class Slow:
    """The request is answered as ever, but only after some seconds."""

    seconds: float


@dataclass(frozen=True)
class Broken:
    """A stream (watch, log) is cut after some pieces: in the middle of a chunk, not at its end."""

    after: int = 0


@dataclass(frozen=True)
class Ends:
    """A stream ends properly after some pieces, long before it should."""

    after: int = 0


@dataclass(frozen=True)
class Silent:
    """A stream stays open and says nothing more after some pieces."""

    after: int = 0


@dataclass(frozen=True)
class Twice:
    """Every event of a watch comes twice."""


@dataclass(frozen=True)
class Expires:
    """A watch says 410 in an event after some others, as it does when the cache is short."""

    after: int = 0


@dataclass(frozen=True)
class Crumbs:
    """A stream comes in chunks of so many bytes, wherever that cuts it."""

    size: int = 1


Fault: TypeAlias = (
    Answer | Garbage | Torn | HangUp | Slow | Broken | Ends | Silent | Twice | Expires | Crumbs
)


def status_object(status: int, reason: str, message: str) -> dict[str, object]:
    """Return Kubernetes' `Status`, as it answers whatever it refuses."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }


def throttled(retry_after: int | None = 1) -> Answer:
    """Return the answer of a server that is asked too often."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    message = "the server has received too many requests and has asked us to try again later"
    return Answer(429, "TooManyRequests", message, headers)


def broken(status: int = 500) -> Answer:
    """Return the answer of a server that is unwell."""
    return Answer(status, "InternalError", "an error on the server has prevented the request")


def gone() -> Answer:
    """Return the answer to a resourceVersion that is too old."""
    return Answer(410, "Expired", "The resourceVersion for the provided watch is too old.")


def forbidden(verb: str = "create", resource: str = "pods") -> Answer:
    """Return the answer to one who lacks a right."""
    user = "system:serviceaccount:hookline:hookline"
    message = f'{resource} is forbidden: User "{user}" cannot {verb} resource "{resource}"'
    return Answer(403, "Forbidden", message)


def quota_exceeded(
    requested: str = "limits.memory=2Gi,pods=1",
    used: str = "limits.memory=63Gi,pods=40",
    limited: str = "limits.memory=64Gi,pods=40",
) -> Answer:
    """Return the answer when the namespace's quota has no room for a Pod."""
    message = (
        f'pods "p" is forbidden: exceeded quota: runs, requested: {requested}, '
        f"used: {used}, limited: {limited}"
    )
    return Answer(403, "Forbidden", message)


def pod_security() -> Answer:
    """Return the answer of a namespace whose Pod Security Standard refuses a Pod."""
    message = (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "step" must set '
        "securityContext.allowPrivilegeEscalation=false)"
    )
    return Answer(403, "Forbidden", message)


def invalid(message: str = 'Pod "p" is invalid: spec.containers: Required value') -> Answer:
    """Return the answer to a manifest that cannot be."""
    return Answer(422, "Invalid", message)


def conflict() -> Answer:
    """Return the answer when two wrote the same object at once, here the namespace's quota."""
    message = (
        'Operation cannot be fulfilled on resourcequotas "runs": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return Answer(409, "Conflict", message)


def unauthorized() -> Answer:
    """Return the answer to a token that has run out."""
    return Answer(401, "Unauthorized", "Unauthorized")
