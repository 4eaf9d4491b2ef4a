"""How the cluster is reached, and what comes through the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.kube.connection import Connection
from runner.kube.errors import NotFound, Silence, Unreachable, Untrusted
from runner.kube.kubeconfig import configuration
from tests.support.fake_kube import NAMESPACE, FakeKube
from tests.support.kube_faults import Broken, Garbage, HangUp, Silent, Torn

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest.fixture(name="kube")
def fake_kube() -> Iterator[FakeKube]:
    with FakeKube() as kube:
        yield kube


@pytest.fixture(name="connection")
def to_the_fake(kube: FakeKube, tmp_path: Path) -> Connection:
    return Connection(configuration(kube.settings(tmp_path), {}), width=4)


def test_the_credential_is_asked_for_with_every_request(kube: FakeKube, tmp_path: Path) -> None:
    found = configuration(kube.settings(tmp_path), {})
    connection = Connection(found, width=1)
    connection.request("GET", PODS)

    def unreadable(_found: object) -> None:
        message = "no token"
        raise OSError(message)

    setattr(found, "refresh_api_key_hook", unreadable)  # noqa: B010  typed as None
    with pytest.raises(
        Unreachable, match=f"the credential for {kube.url} cannot be read: no token"
    ):
        connection.request("GET", PODS)


def test_a_request_that_finds_nobody_says_so(tmp_path: Path) -> None:
    with FakeKube() as kube:
        settings = kube.settings(tmp_path)
    connection = Connection(configuration(settings, {}), width=1)
    with pytest.raises(Unreachable, match=f"list pods: the API server at {kube.url}"):
        connection.request("GET", PODS, doing="list pods")


def test_a_server_without_tls_is_not_trusted(kube: FakeKube, tmp_path: Path) -> None:
    settings = kube.settings(tmp_path)
    file = tmp_path / "kubeconfig"
    file.write_text(file.read_text().replace("http:", "https:"))
    connection = Connection(configuration(settings, {}), width=1)
    with pytest.raises(Untrusted, match=r"the API server at https://127\.0\.0\.1:"):
        connection.request("GET", PODS)


def test_an_answer_that_is_no_json_is_no_answer(kube: FakeKube, connection: Connection) -> None:
    kube.fault(Garbage())
    with pytest.raises(Unreachable, match="is not JSON"):
        connection.request("GET", PODS)
    kube.fault(Garbage(body=b"[]"))
    with pytest.raises(Unreachable, match="is not JSON"):
        connection.request("GET", PODS)


def test_a_hang_up_is_no_answer(kube: FakeKube, connection: Connection) -> None:
    kube.fault(HangUp())
    with pytest.raises(Unreachable):
        connection.request("GET", PODS)


def test_an_answer_that_breaks_off_is_no_answer(kube: FakeKube, connection: Connection) -> None:
    kube.fault(Torn(), on="list pods")
    with pytest.raises(Unreachable, match="list pods: the answer broke off"):
        connection.request("GET", PODS, doing="list pods")


def test_a_refused_stream_is_an_error(connection: Connection) -> None:
    with pytest.raises(NotFound, match="get log"):
        connection.stream(f"{PODS}/p/log", query={}, silence=1.0, doing="get log")


def test_a_silent_stream_is_told_from_a_broken_one(kube: FakeKube, connection: Connection) -> None:
    kube.fault(Silent(), on="watch pods")
    kube.fault(Broken(), on="watch pods")
    query = {"watch": "true"}
    with connection.stream(PODS, query=query, silence=0.05) as stream, pytest.raises(Silence):
        list(stream)
    with connection.stream(PODS, query=query, silence=5) as stream, pytest.raises(Unreachable):
        list(stream)


def test_a_stream_is_ended_from_another_thread(kube: FakeKube, connection: Connection) -> None:
    kube.fault(Silent(), on="watch pods")
    with connection.stream(PODS, query={"watch": "true"}, silence=60) as stream:
        timer = threading.Timer(0.05, stream.abort)
        timer.start()
        assert list(stream) == []
        timer.join()
        stream.abort()
    stream.abort()
