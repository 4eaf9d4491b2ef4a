"""Answers of the API server and what they mean."""

from __future__ import annotations

import json

import pytest

from runner.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    PodSecurityRefused,
    QuotaExceeded,
    Throttled,
    Unauthorized,
    Unreachable,
    event_refusal,
    refusal,
)
from tests.support import kube_faults
from tests.support.kube_faults import Answer, status_object


@pytest.mark.parametrize(
    ("answer", "kind", "passing"),
    [
        (kube_faults.throttled(), Throttled, True),
        (kube_faults.broken(), Unreachable, True),
        (kube_faults.broken(503), Unreachable, True),
        (Answer(408), Unreachable, True),
        (kube_faults.gone(), Gone, False),
        (kube_faults.forbidden(), Forbidden, False),
        (kube_faults.quota_exceeded(), QuotaExceeded, True),
        (kube_faults.pod_security(), PodSecurityRefused, False),
        (kube_faults.invalid(), Invalid, False),
        (Answer(400), Invalid, False),
        (Answer(413), Invalid, False),
        (kube_faults.conflict(), Conflict, True),
        (Answer(409, "AlreadyExists"), AlreadyExists, False),
        (Answer(404, "NotFound"), NotFound, False),
        (kube_faults.unauthorized(), Unauthorized, False),
    ],
)
def test_an_answer_means_an_error_that_passes_or_not(
    answer: Answer, kind: type[KubeError], passing: bool
) -> None:
    error = refusal(answer.status, answer.body, answer.headers, "create pods")
    assert (type(error), error.passing) == (kind, passing)
    assert (error.status, error.reason) == (answer.status, answer.reason)
    assert answer.message in str(error)


def test_the_words_of_the_server_are_kept() -> None:
    answer = kube_faults.pod_security()
    error = refusal(answer.status, answer.body, {}, "create pods")
    assert str(error).startswith('create pods: pods "p" is forbidden: violates PodSecurity')
    assert str(error).endswith("(HTTP 403)")


def test_what_a_proxy_says_is_told_in_part() -> None:
    error = refusal(502, b"<html>" + b"x" * 10_000)
    assert isinstance(error, Unreachable)
    assert len(str(error)) < 2100


def test_an_empty_answer_is_told_as_such() -> None:
    assert str(refusal(500, b"")) == "request: no message (HTTP 500)"


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "3"}, None, 3.0),
        ({}, {"retryAfterSeconds": 2}, 2.0),
        ({"Retry-After": "soon"}, None, None),
        ({}, {}, None),
        ({"Retry-After": "-1"}, None, 0.0),
    ],
)
def test_how_long_to_wait(
    headers: dict[str, str], details: dict[str, int] | None, seconds: float | None
) -> None:
    body = {**status_object(429, "TooManyRequests", "later"), "details": details}
    assert refusal(429, json.dumps(body).encode(), headers).retry_after == seconds


@pytest.mark.parametrize(
    ("requested", "limited", "passing"),
    [
        ("limits.memory=2Gi", "limits.memory=64Gi", True),
        ("limits.memory=65Gi,pods=1", "limits.memory=64Gi,pods=40", False),
        ("limits.cpu=500m", "limits.cpu=1", True),
        ("limits.cpu=1500m", "limits.cpu=1", False),
        ("limits.memory=1G", "limits.memory=1Gi", True),
        ("requests.storage=odd", "requests.storage=1", True),
    ],
)
def test_a_quota_that_could_never_hold_it_does_not_pass(
    requested: str, limited: str, passing: bool
) -> None:
    answer = kube_faults.quota_exceeded(requested, used="pods=1", limited=limited)
    assert refusal(403, answer.body).passing is passing


def test_a_quota_that_says_no_figures_may_pass() -> None:
    assert QuotaExceeded("exceeded quota").passing


def test_an_error_in_a_watch() -> None:
    assert isinstance(event_refusal(status_object(410, "Expired", "too old")), Gone)
    assert isinstance(event_refusal({}), Unreachable)


def test_every_error_has_a_code_of_its_own() -> None:
    def tree(kind: type[KubeError]) -> list[type[KubeError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in tree(sub))]

    # Tests elsewhere may have made errors of their own.
    ours = [kind for kind in tree(KubeError) if kind.__module__ == KubeError.__module__]
    codes = [kind.code for kind in ours]
    assert len(set(codes)) == len(codes) == 16
