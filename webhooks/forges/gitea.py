"""Gitea and Forgejo: webhooks in, commit statuses out.

https://docs.gitea.com/usage/webhooks and https://forgejo.org/docs/latest/user/webhooks/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhooks import payloads
from webhooks.errors import PayloadError, SignatureError
from webhooks.forges import answers, naming, posts, pulls, pushes
from webhooks.forges.base import (
    HttpRequest,
    HttpResponse,
    Parsed,
    Status,
    StatusState,
    Target,
    Understood,
)
from webhooks.signatures import verify_hex

_EVENT = ("x-forgejo-event", "x-gitea-event")
_DELIVERY = ("x-forgejo-delivery", "x-gitea-delivery")
_SIGNATURE = ("x-forgejo-signature", "x-gitea-signature")
_ACTIONS = {
    "opened": "opened",
    "reopened": "reopened",
    "synchronized": "synchronize",
    "ready_for_review": "ready_for_review",
}
_WORDS = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.WARNING: "warning",
    StatusState.FAILURE: "failure",
    StatusState.ERROR: "error",
    StatusState.CANCELLED: "error",
}


@dataclass(frozen=True)
class Gitea:
    """The forge under the names `gitea` and `forgejo`, which speak alike."""

    name: str = "gitea"
    media_types: frozenset[str] = frozenset({payloads.JSON_TYPE, payloads.FORM_TYPE})

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
    ) -> None:
        del now  # Nothing it signs tells the time.
        # The first header that is there decides: a good one does not rescue a bad one before it.
        told = next((headers[name] for name in _SIGNATURE if name in headers), None)
        try:
            verify_hex(secrets, body, told)
        except SignatureError:
            if payloads.media_type(headers) != payloads.FORM_TYPE:
                raise
            # Of a form it signs the JSON inside (services/webhook/deliver.go), not the form.
            verify_hex(secrets, _signed_form(body), told)

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
        headers = {"Authorization": f"token {target.token}", "Accept": "application/json"}
        return posts.post(target, status, path="/api/v1", headers=headers, words=_WORDS)

    def understand(self, response: HttpResponse) -> Understood:
        return answers.understand(response)


def _signed_form(body: bytes) -> bytes:
    try:
        return payloads.form_payload(body)
    except PayloadError as error:
        raise SignatureError(str(error), code="signature-malformed") from None
