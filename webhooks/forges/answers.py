"""What a forge's answer to a posted status means: taken, worth another try, or refused.

The rules for GitHub's limits are those of
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from webhooks.forges.base import HttpResponse, Later, Refused, Taken, Understood
from webhooks.texts import line

SHORTEST_WAIT = 60.0
LONGEST_WAIT = 24 * 3600.0

_WHOLE = re.compile(r"[0-9]{1,12}")
_CURES = {
    401: "give the repository a valid token",
    403: "the token may not write statuses",
    422: "the forge does not accept this status",
}


def understand(response: HttpResponse) -> Understood:
    """Return what an answer means by its HTTP status alone, `Retry-After` obeyed."""
    why = said(response)
    if 200 <= response.status < 300:
        return Taken()
    if 300 <= response.status < 400:
        return Refused(f"{why}: the repository has moved; configure its new name")
    if response.status == 404:
        return Later(None, f"{why}: the commit is not there yet, or the token may not see it")
    if response.status == 429:
        return Later(retry_after(response.headers) or SHORTEST_WAIT, why)
    if response.status == 408 or response.status >= 500:
        return Later(retry_after(response.headers), why)
    cure = _CURES.get(response.status)
    return Refused(f"{why}: {cure}" if cure else why)


def said(response: HttpResponse) -> str:
    """Return an answer in one line: its status and the beginning of its text."""
    return f"HTTP {response.status} {line(response.text, 200)}".strip()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, None where it gives no number."""
    return _bounded(_whole(headers.get("retry-after")))


def until_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the spent rate limit is renewed, None where none is spent.

    Measured by the server's own `Date`, so that a clock that is wrong here changes nothing.
    """
    if headers.get("x-ratelimit-remaining") != "0":
        return None
    reset, now = _whole(headers.get("x-ratelimit-reset")), _date(headers.get("date"))
    if reset is None or now is None:
        return SHORTEST_WAIT
    return _bounded(reset - now)


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 1.0), LONGEST_WAIT)


def _whole(value: str | None) -> float | None:
    return float(value) if value and _WHOLE.fullmatch(value) else None


def _date(value: str | None) -> float | None:
    try:
        told = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
