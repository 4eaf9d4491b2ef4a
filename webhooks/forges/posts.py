"""The request that posts a commit status, in the shape that GitHub, Gitea and Forgejo share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from webhooks.errors import TargetError
from webhooks.forges.base import HttpRequest, Status, StatusState, Target
from webhooks.texts import line, shown

DESCRIPTION_LIMIT = 140
CONTEXT_LIMIT = 255

_REPOSITORY = re.compile(r"[^/\s]+/[^/\s]+")
_WEB = re.compile(r"https?://[^\s/]+\S*")
_SPOKEN = {StatusState.WARNING: "Warning", StatusState.CANCELLED: "Cancelled"}


def post(
    target: Target,
    status: Status,
    *,
    path: str,
    headers: Mapping[str, str],
    words: Mapping[StatusState, str],
) -> HttpRequest:
    """Return the request that posts `status`.

    `path` lies between the API address and `/repos/...`, `headers` go with the request, `words`
    are the forge's own for each state. TargetError if the address or repository is not usable.
    """
    return HttpRequest(
        method="POST",
        url=f"{_base(target)}{path}/repos/{_repository(target)}/statuses/{quote(status.commit)}",
        headers={"Content-Type": "application/json", "User-Agent": "hookline", **headers},
        json=_body(status, words[status.state]),
    )


def _body(status: Status, word: str) -> dict[str, str]:
    body = {
        "state": word,
        "context": line(status.context, CONTEXT_LIMIT),
        "description": _description(status, word),
    }
    if _WEB.fullmatch(status.url):
        body["target_url"] = status.url
    return body


def _description(status: Status, word: str) -> str:
    # A state that the forge has no word for must at least be in the text.
    spoken = _SPOKEN.get(status.state, "")
    if word == status.state or spoken.lower() in status.description.lower():
        return line(status.description, DESCRIPTION_LIMIT)
    return line(f"{spoken}: {status.description}", DESCRIPTION_LIMIT)


def _base(target: Target) -> str:
    if not _WEB.fullmatch(target.api_url):
        problem = f"{shown(target.api_url)} is no address of an API; give one with http(s)://"
        raise TargetError(problem)
    return target.api_url.rstrip("/")


def _repository(target: Target) -> str:
    parts = target.repository.split("/")
    if not _REPOSITORY.fullmatch(target.repository) or {".", ".."}.intersection(parts):
        problem = f"{shown(target.repository)} is no repository; give it as OWNER/NAME"
        raise TargetError(problem)
    return quote(target.repository)
