"""What is tried at a cluster, and what is said of one that is no use: setting, reason, cure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.executors.base import ExecutorAway, ExecutorUnusable
from runner.executors.kubernetes.trying import try_cluster, unusable
from runner.kube.client import KubeClient
from runner.kube.connection import Connection
from runner.kube.errors import Invalid, NotConfigured, Unauthorized, Unreachable, Untrusted
from runner.kube.kubeconfig import configuration
from runner.settings_model import Kubernetes
from tests.support.fake_kube import FakeKube
from tests.support.kube_faults import Answer


@pytest.fixture(name="kube")
def fake_kube() -> Iterator[FakeKube]:
    with FakeKube() as kube:
        yield kube


def refusal(client: KubeClient) -> ExecutorUnusable:
    with pytest.raises(ExecutorUnusable) as caught:
        try_cluster(client)
    return caught.value


def test_a_good_one_is_left_as_it_was(kube: FakeKube) -> None:
    try_cluster(kube.client())
    assert kube.pods == kube.secrets == {}


def test_rights_are_named(kube: FakeKube) -> None:
    kube.denied |= {"get pods/log", "create secrets"}
    told = refusal(kube.client())
    assert str(told) == (
        "executor: in the namespace hookline-runs these rights are missing: "
        "get pods/log, create secrets"
    )
    assert "RoleBinding" in told.cure
    assert kube.acts("create secrets") == []


def test_a_namespace_that_is_not_there(kube: FakeKube, tmp_path: Path) -> None:
    found = configuration(Kubernetes(kubeconfig=kube.kubeconfig(tmp_path)), {})
    told = refusal(KubeClient(Connection(found, width=1), "elsewhere"))
    assert str(told) == "executor: there is no namespace elsewhere"
    assert told.cure == "make it, or name another one in kubernetes.namespace"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, "Forbidden", 'secrets "x" is forbidden: exceeded quota: q, requested: x'),
        Answer(400, "BadRequest", "admission webhook w does not support dry run"),
    ],
)
def test_what_is_refused_for_another_reason_has_its_namespace(
    kube: FakeKube, answer: Answer
) -> None:
    kube.fault(answer, times=5, on="create secrets")
    try_cluster(kube.client())


@pytest.mark.parametrize("act", ["create selfsubjectaccessreviews", "create secrets"])
def test_one_that_is_unwell_is_away(kube: FakeKube, act: str) -> None:
    kube.fault(Answer(503, "ServiceUnavailable", "starting"), times=5, on=act)
    told = refusal(kube.client())
    assert isinstance(told, ExecutorAway)
    assert f"{act}: starting (HTTP 503)" in str(told)
    assert "look whether it runs" in told.cure


@pytest.mark.parametrize(
    ("error", "away", "message", "cure"),
    [
        (NotConfigured("KUBECONFIG: no", cure="set it"), False, "executor: KUBECONFIG: no", "set"),
        (Untrusted("reviews: TLS"), False, "the namespace n cannot be used: reviews: TLS", "auth"),
        (Unreachable("reviews: no"), True, "the namespace n cannot be used: reviews: no", "runs"),
        (Unauthorized("reviews: who?"), False, "cannot be used: reviews: who?", "account"),
        (Invalid("reviews:\n  <xml>" + "x" * 900), False, "reviews: <xml>xx", "is an API server"),
    ],
)
def test_each_error_has_a_cure(error: Unreachable, away: bool, message: str, cure: str) -> None:
    told = unusable(error, "n")
    assert isinstance(told, ExecutorAway) is away
    assert message in str(told)
    assert cure in told.cure
    assert "\n" not in str(told)
    assert len(str(told)) < 500
