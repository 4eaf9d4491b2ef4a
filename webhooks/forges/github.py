"""GitHub and GitHub Enterprise: webhooks in, commit statuses out.

https://docs.github.com/en/webhooks/webhook-events-and-payloads and
https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhooks import payloads
from webhooks.forges import answers, naming, posts, pulls, pushes
from webhooks.forges.base import (
    HttpRequest,
    HttpResponse,
    Later,
    Parsed,
    Refused,
    Status,
    StatusState,
    Target,
    Understood,
)
from webhooks.signatures import verify_hex

_EVENT = ("x-github-event",)
_DELIVERY = ("x-github-delivery",)
_ACTIONS = {name: name for name in ("opened", "reopened", "synchronize", "ready_for_review")}
_WORDS = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.WARNING: "success",
    StatusState.FAILURE: "failure",
    StatusState.ERROR: "error",
    StatusState.CANCELLED: "error",
}


@dataclass(frozen=True)
class GitHub:
    """The forge under the name `github`."""

    name: str = "github"
    media_types: frozenset[str] = frozenset({payloads.JSON_TYPE, payloads.FORM_TYPE})

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
    ) -> None:
        del now  # Nothing it signs tells the time.
        verify_hex(secrets, body, headers.get("x-hub-signature-256"), prefix="sha256=")

    def parse(self, headers: Mapping[str, str], body: bytes) -> Parsed:
        event = naming.event(headers, _EVENT)
        document = payloads.document(headers, body)
        if event == "push":
            return pushes.parse(pushes.hub_move(document))
        if event == "pull_request":
            return pulls.parse(document, _ACTIONS)
        return naming.ignored(event, document)

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        return naming.delivery_id(headers, _DELIVERY, body)

    def event_name(self, headers: Mapping[str, str]) -> str:
        return naming.first(headers, _EVENT)

    def report(self, target: Target, status: Status) -> HttpRequest:
        headers = {
            "Authorization": f"Bearer {target.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return posts.post(target, status, path="", headers=headers, words=_WORDS)

    def understand(self, response: HttpResponse) -> Understood:
        if response.status in (403, 429):
            return _limited(response)
        # Right after a push GitHub may not know the commit yet on every machine.
        if response.status == 422 and "no commit found" in response.text.lower():
            return Later(None, answers.said(response))
        return answers.understand(response)


def _limited(response: HttpResponse) -> Later | Refused:
    """403 and 429 are both rate limits if they say so; a plain 403 is a matter of permission."""
    why = answers.said(response)
    wait = answers.retry_after(response.headers) or answers.until_reset(response.headers)
    if wait is not None:
        return Later(wait, why)
    if response.status == 429 or "secondary rate limit" in response.text.lower():
        return Later(answers.SHORTEST_WAIT, why)
    return Refused(f"{why}: the token may not write statuses (it needs statuses: write)")
