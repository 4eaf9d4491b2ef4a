"""Gitea and Forgejo: their headers, their signatures, their statuses."""

from __future__ import annotations

import pytest

from tests.webhooks.samples import NEW, NOW, SECRET, a_push, encoded, form
from webhooks.errors import SignatureError
from webhooks.forges.base import (
    Events,
    HttpResponse,
    Later,
    Refused,
    Status,
    StatusState,
    Taken,
    Target,
)
from webhooks.forges.gitea import Gitea
from webhooks.signatures import hex_signature

BODY = encoded(a_push())
GOOD, BAD = hex_signature(SECRET, BODY), "0" * 64
FORM = {"content-type": "application/x-www-form-urlencoded"}

BOTH = pytest.mark.parametrize("forge", [Gitea("gitea"), Gitea("forgejo")], ids=lambda it: it.name)


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        {"x-gitea-signature": GOOD},
        {"x-forgejo-signature": GOOD},
        {"x-forgejo-signature": GOOD, "x-gitea-signature": BAD},
    ],
)
def test_signed(forge: Gitea, headers: dict[str, str]) -> None:
    forge.verify((SECRET,), headers, BODY, NOW)


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-gitea-signature": ""},
        {"x-gitea-signature": BAD},
        {"x-gitea-signature": f"sha256={GOOD}"},
        {"x-forgejo-signature": BAD, "x-gitea-signature": GOOD},
        {"x-forgejo-signature": "", "x-gitea-signature": GOOD},
        {"x-hub-signature-256": f"sha256={GOOD}"},
        {"x-hub-signature": f"sha1={GOOD}"},
        {"x-gogs-signature": GOOD},
    ],
)
def test_not_signed(forge: Gitea, headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        forge.verify((SECRET,), headers, BODY, NOW)


@BOTH
def test_of_a_form_the_json_inside_is_signed(forge: Gitea) -> None:
    body = form(a_push())
    headers = {**FORM, "x-gitea-event": "push", "x-gitea-signature": GOOD}
    forge.verify((SECRET,), headers, body, NOW)
    assert isinstance(forge.parse(headers, body), Events)
    with pytest.raises(SignatureError):
        forge.verify((SECRET,), headers, form(a_push(after="3" * 40)), NOW)


@BOTH
def test_a_signature_over_the_whole_form_is_as_good(forge: Gitea) -> None:
    body = form(a_push())
    headers = {**FORM, "x-gitea-signature": hex_signature(SECRET, body)}
    forge.verify((SECRET,), headers, body, NOW)


@BOTH
@pytest.mark.parametrize("body", [b"", b"\xff", b"x=y"])
def test_what_is_no_form_is_not_signed(forge: Gitea, body: bytes) -> None:
    with pytest.raises(SignatureError):
        forge.verify((SECRET,), {**FORM, "x-gitea-signature": GOOD}, body, NOW)


@BOTH
def test_forgejo_headers_come_first(forge: Gitea) -> None:
    headers = {
        "x-forgejo-event": "push",
        "x-gitea-event": "create",
        "x-github-event": "delete",
        "x-forgejo-delivery": "f",
        "x-gitea-delivery": "g",
    }
    assert forge.event_name(headers) == "push"
    assert forge.delivery_id(headers, b"") == "f"
    assert forge.delivery_id({"x-gitea-delivery": "g"}, b"") == "g"
    assert forge.delivery_id({"x-gitea-delivery": "é\x00" + "x" * 999}, b"")[:2] == "é\ufffd"


@BOTH
@pytest.mark.parametrize(
    ("state", "word", "told"),
    [
        (StatusState.PENDING, "pending", "text"),
        (StatusState.SUCCESS, "success", "text"),
        (StatusState.WARNING, "warning", "text"),
        (StatusState.FAILURE, "failure", "text"),
        (StatusState.ERROR, "error", "text"),
        (StatusState.CANCELLED, "error", "Cancelled: text"),
    ],
)
def test_report(forge: Gitea, state: StatusState, word: str, told: str) -> None:
    status = Status(commit=NEW, context="ci/demo", state=state, description="text")
    request = forge.report(Target("http://gitea.example/sub/", "octo/demo", "t0ken"), status)
    assert request.method == "POST"
    assert request.url == f"http://gitea.example/sub/api/v1/repos/octo/demo/statuses/{NEW}"
    assert request.headers["Authorization"] == "token t0ken"
    assert request.json == {"state": word, "context": "ci/demo", "description": told}


@BOTH
@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (HttpResponse(201), Taken),
        (HttpResponse(401), Refused),
        (HttpResponse(403), Refused),
        (HttpResponse(404), Later),
        (HttpResponse(422), Refused),
        (HttpResponse(429), Later),
        (HttpResponse(502), Later),
    ],
)
def test_answers(forge: Gitea, response: HttpResponse, kind: type) -> None:
    assert isinstance(forge.understand(response), kind)
