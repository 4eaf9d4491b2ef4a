"""What can go wrong between this process and the API server: one tree, drawn here.

    KubeError
    ├── NotConfigured     it is not known how to reach the cluster
    ├── Unreachable       no answer, or one that says the server is unwell (5xx)
    │   ├── Untrusted     no TLS connection that can be trusted
    │   ├── Silence       a stream said nothing for longer than it may
    │   └── Throttled     429: asked too often
    ├── Unauthorized      401: who we are is not accepted
    ├── Forbidden         403: not allowed; Kubernetes' message says what
    │   ├── QuotaExceeded      the namespace's quota is used up
    │   └── PodSecurityRefused the namespace's Pod Security Standard refuses the Pod
    ├── NotFound          404
    ├── AlreadyExists     409: there is an object of this name
    ├── Conflict          409: the object is not what was expected, or changed meanwhile
    ├── Gone              410: that resourceVersion is too old to go on from
    ├── NotReady          400 to a request for a log: the container does not run yet
    └── Invalid           400, 413, 415, 422 and every other refusal: what was sent cannot be used

`passing` says whether the same request may succeed later without anybody changing anything; the
others are final. A message never holds what was sent, only what the server said of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LONGEST = 2000
_QUOTA = re.compile(r"requested: (?P<requested>.*?), used: .*?, limited: (?P<limited>\S+)")
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(m|[kMGTPE]i?|Ki)?")
_UNITS: dict[str | None, float] = {
    None: 1.0,
    "m": 0.001,
    **{unit: 1000.0 ** (power + 1) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")},
}


class KubeError(Exception):
    """Something between this process and the API server went wrong; the message says what."""

    code = "kube"
    passing = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Make one from Kubernetes' own words: HTTP status, reason, seconds to wait if told."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotConfigured(KubeError):
    """It is not known how to reach the cluster; `cure` is what would be right."""

    code = "kube-not-configured"

    def __init__(self, message: str, *, cure: str = "") -> None:
        self.cure = cure
        super().__init__(message)


class Unreachable(KubeError):
    """The API server does not answer, or is unwell."""

    code = "kube-unreachable"
    passing = True


class Untrusted(Unreachable):
    """There is no TLS connection that can be trusted; it may pass if it was there before."""

    code = "kube-untrusted"


class Silence(Unreachable):
    """A stream said nothing for longer than it may; it is no news."""

    code = "kube-silence"


class Throttled(Unreachable):
    """The API server is asked too often."""

    code = "kube-throttled"


class Unauthorized(KubeError):
    """The API server does not accept who we are."""

    code = "kube-unauthorized"


class Forbidden(KubeError):
    """The request is not allowed: no right to it, or refused by a rule of the cluster."""

    code = "kube-forbidden"


class QuotaExceeded(Forbidden):
    """The namespace's quota has no room; there may be some once others have ended."""

    code = "kube-quota"

    @property
    def passing(self) -> bool:  # type: ignore[override]  # here it depends on the message
        """Whether waiting helps: false if more was asked for than the whole quota holds."""
        found = _QUOTA.search(self.message)
        if found is None:
            return True
        limited = _amounts(found["limited"])
        requested = _amounts(found["requested"])
        return all(amount <= limited.get(name, amount) for name, amount in requested.items())


class PodSecurityRefused(Forbidden):
    """The namespace enforces a Pod Security Standard that the Pod does not meet."""

    code = "kube-pod-security"


class NotFound(KubeError):
    """There is no such object."""

    code = "kube-not-found"


class AlreadyExists(KubeError):
    """There is an object of this name."""

    code = "kube-exists"


class Conflict(KubeError):
    """The object is not the expected one, or was changed at the same time."""

    code = "kube-conflict"
    passing = True


class Gone(KubeError):
    """The resourceVersion is too old to go on from; a new list is needed."""

    code = "kube-gone"


class NotReady(KubeError):
    """The container whose log was asked for does not run yet."""

    code = "kube-not-ready"
    passing = True


class Invalid(KubeError):
    """What was sent cannot be used; asking again is no use."""

    code = "kube-invalid"


def refusal(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, doing: str = ""
) -> KubeError:
    """Return the error that an answer means.

    `body` is a `Status` object where the API server itself answered, and anything where a proxy
    did; `doing` are words for what was tried, such as `create pods`.
    """
    told = _status_object(body)
    reason = str(told.get("reason") or "")
    message = str(told.get("message") or body.decode("utf-8", "replace").strip() or "no message")
    kind = kind_of(status, reason, message)
    return kind(
        f"{doing or 'request'}: {message[:_LONGEST]} (HTTP {status})",
        status=status,
        reason=reason,
        retry_after=_retry_after(told, headers or {}),
    )


def on_one_line(text: str, longest: int = 400) -> str:
    """Return a text without its line breaks, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def event_refusal(status: Mapping[str, Any]) -> KubeError:
    """Return the error that an `ERROR` event of a watch means; `status` is its object."""
    code = status.get("code")
    return refusal(
        code if isinstance(code, int) else 500, json.dumps(status).encode(), None, "watch"
    )


def kind_of(status: int, reason: str, message: str) -> type[KubeError]:
    """Return which error an HTTP status, Kubernetes' reason and its message make."""
    match status:
        case 401:
            return Unauthorized
        case 403:
            return _forbidden(message)
        case 404:
            return NotFound
        case 409:
            return AlreadyExists if reason == "AlreadyExists" else Conflict
        case 410:
            return Gone
        case 429:
            return Throttled
        case _:
            return Unreachable if status >= 500 or status == 408 else Invalid


def _forbidden(message: str) -> type[KubeError]:
    if "exceeded quota" in message:
        return QuotaExceeded
    if "violates PodSecurity" in message:
        return PodSecurityRefused
    return Forbidden


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and told.get("kind") == "Status" else {}


def _retry_after(told: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from the header or the `Status` object's details."""
    details = told.get("details")
    said = headers.get("Retry-After") or (
        details.get("retryAfterSeconds") if isinstance(details, dict) else None
    )
    try:
        return max(0.0, float(said)) if said is not None else None
    except (TypeError, ValueError):
        return None


def _amounts(text: str) -> dict[str, float]:
    """Return what `limits.memory=2Gi,pods=1` says; what is no quantity is left out."""
    pairs = (part.strip().partition("=") for part in text.split(","))
    found = {name: _QUANTITY.fullmatch(value) for name, _, value in pairs}
    return {name: float(m[1]) * _UNITS[m[2]] for name, m in found.items() if m is not None}
