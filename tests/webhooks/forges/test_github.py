"""GitHub: its signature, its statuses, and what its answers mean."""

from __future__ import annotations

import pytest

from tests.webhooks.samples import NEW, NOW, SECRET
from webhooks.errors import SignatureError, TargetError
from webhooks.forges.base import (
    HttpRequest,
    HttpResponse,
    Later,
    Refused,
    Status,
    StatusState,
    Taken,
    Target,
    Understood,
)
from webhooks.forges.github import GitHub
from webhooks.signatures import hex_signature

TARGET = Target("https://api.github.com/", "octo/demo", "t0ken")
DATE = "Tue, 24 Nov 2026 10:00:00 GMT"
DATE_SECONDS = 1795514400


def report(state: StatusState = StatusState.PENDING, **changed: str) -> HttpRequest:
    given = {"context": "ci/demo", "description": "Queued", "url": "https://ci.example/1"}
    status = Status(commit=NEW, state=state, **{**given, **changed})
    return GitHub().report(TARGET, status)


def test_sha1_is_never_enough() -> None:
    mac = hex_signature(SECRET, b"{}")
    for headers in ({"x-hub-signature": f"sha1={mac}"}, {"x-hub-signature": f"sha256={mac}"}):
        with pytest.raises(SignatureError):
            GitHub().verify((SECRET,), headers, b"{}", NOW)
    both = {"x-hub-signature": f"sha256={mac}", "x-hub-signature-256": "sha256=" + "0" * 64}
    with pytest.raises(SignatureError):
        GitHub().verify((SECRET,), both, b"{}", NOW)


def test_report() -> None:
    request = report()
    assert request == HttpRequest(
        method="POST",
        url=f"https://api.github.com/repos/octo/demo/statuses/{NEW}",
        headers=request.headers,
        json={
            "state": "pending",
            "context": "ci/demo",
            "description": "Queued",
            "target_url": "https://ci.example/1",
        },
    )
    assert request.headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("state", "text", "word", "told"),
    [
        (StatusState.PENDING, "Queued", "pending", "Queued"),
        (StatusState.SUCCESS, "7 steps", "success", "7 steps"),
        (StatusState.WARNING, "lint failed", "success", "Warning: lint failed"),
        (StatusState.WARNING, "Warning: lint", "success", "Warning: lint"),
        (StatusState.FAILURE, "test failed", "failure", "test failed"),
        (StatusState.ERROR, "bad file", "error", "bad file"),
        (StatusState.CANCELLED, "by ada", "error", "Cancelled: by ada"),
        (StatusState.SUCCESS, "a\x1b[31m\nb\x00", "success", "a[31m b"),
        (StatusState.SUCCESS, "x" * 141, "success", "x" * 139 + "…"),
        (StatusState.WARNING, "ü" * 140, "success", "Warning: " + "ü" * 130 + "…"),
    ],
)
def test_states_and_descriptions(state: StatusState, text: str, word: str, told: str) -> None:
    body = report(state, description=text).json
    assert (body["state"], body["description"]) == (word, told)


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "ftp://x", "https://", "/runs/1"])
def test_only_web_addresses_are_linked(url: str) -> None:
    assert "target_url" not in report(url=url).json


def test_a_repository_name_is_quoted() -> None:
    target = Target("https://ghe.example/api/v3", "octo/a?b#c", "t")
    status = Status(commit=NEW, context="c", state=StatusState.ERROR, description="d")
    url = GitHub().report(target, status).url
    assert url == f"https://ghe.example/api/v3/repos/octo/a%3Fb%23c/statuses/{NEW}"


@pytest.mark.parametrize(
    ("api", "repository"),
    [
        ("https://api.github.com", "demo"),
        ("https://api.github.com", "a/b/c"),
        ("https://api.github.com", "../x"),
        ("https://api.github.com", "a/.."),
        ("https://api.github.com", "a/b c"),
        ("api.github.com", "octo/demo"),
        ("file:///etc", "octo/demo"),
        ("", "octo/demo"),
    ],
)
def test_targets_that_are_no_address(api: str, repository: str) -> None:
    status = Status(commit=NEW, context="c", state=StatusState.ERROR, description="d")
    with pytest.raises(TargetError):
        GitHub().report(Target(api, repository, "t"), status)


def kind(meant: Understood) -> tuple[type, float | None]:
    return type(meant), meant.seconds if isinstance(meant, Later) else None


LIMIT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(DATE_SECONDS + 90), "date": DATE}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (HttpResponse(201), (Taken, None)),
        (HttpResponse(301), (Refused, None)),
        (HttpResponse(307), (Refused, None)),
        (HttpResponse(400), (Refused, None)),
        (HttpResponse(401), (Refused, None)),
        (HttpResponse(403, {}, "Resource not accessible by integration"), (Refused, None)),
        (HttpResponse(403, {"retry-after": "7"}), (Later, 7)),
        (HttpResponse(403, {"retry-after": "0"}), (Later, 1)),
        (HttpResponse(429, {"retry-after": "99999999"}), (Later, 86400)),
        (HttpResponse(429, {"retry-after": "soon"}), (Later, 60)),
        (HttpResponse(429), (Later, 60)),
        (HttpResponse(403, {}, "You have exceeded a secondary rate limit"), (Later, 60)),
        (HttpResponse(403, LIMIT), (Later, 90)),
        (HttpResponse(429, LIMIT), (Later, 90)),
        (HttpResponse(403, {**LIMIT, "x-ratelimit-reset": "0"}), (Later, 1)),
        (HttpResponse(403, {**LIMIT, "x-ratelimit-reset": "x"}), (Later, 60)),
        (HttpResponse(403, {**LIMIT, "date": "x"}), (Later, 60)),
        (HttpResponse(403, {**LIMIT, "date": DATE.replace("GMT", "-0000")}), (Later, 90)),
        (HttpResponse(403, {"x-ratelimit-remaining": "0"}), (Later, 60)),
        (HttpResponse(403, {**LIMIT, "x-ratelimit-remaining": "12"}), (Refused, None)),
        (HttpResponse(404), (Later, None)),
        (HttpResponse(408), (Later, None)),
        (
            HttpResponse(
                422, {}, "This SHA and context has reached the maximum number of statuses"
            ),
            (Refused, None),
        ),
        (HttpResponse(422, {}, "No commit found for SHA: 222"), (Later, None)),
        (HttpResponse(422, {}, "Validation failed"), (Refused, None)),
        (HttpResponse(500), (Later, None)),
        (HttpResponse(503, {"retry-after": "30"}), (Later, 30)),
    ],
)
def test_answers(response: HttpResponse, expected: tuple[type, float | None]) -> None:
    assert kind(GitHub().understand(response)) == expected


def test_a_refusal_says_what_the_forge_said_in_one_line() -> None:
    meant = GitHub().understand(HttpResponse(422, {}, '{"message":\n "x\x1b"}' + "y" * 999))
    assert isinstance(meant, Refused)
    assert meant.why.startswith('HTTP 422 {"message": "x"}yyy')
    assert meant.why.isprintable()
    assert len(meant.why) < 300
