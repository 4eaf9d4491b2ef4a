"""How the cluster is reached, and what comes through the pool."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.kube.client import connect
from runner.kube.connection import Connection, configuration
from runner.kube.errors import NotConfigured, NotFound, Silence, Unreachable
from runner.settings_model import Kubernetes
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


def test_the_kubeconfig_of_the_settings_comes_first(kube: FakeKube, tmp_path: Path) -> None:
    client = connect(kube.settings(tmp_path), environ={"KUBECONFIG": "/nowhere"})
    assert client.list_pods("a=b").pods == ()
    client.close()


def test_without_it_the_environment_names_one(kube: FakeKube, tmp_path: Path) -> None:
    file = kube.kubeconfig(tmp_path)
    found = configuration(Kubernetes(), {"KUBECONFIG": str(file)})
    assert found.host == kube.url


def test_inside_a_cluster_the_pods_own_account_is_used(kube: FakeKube, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(kube.token)
    (tmp_path / "ca.crt").write_text("certificates")
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    found = configuration(Kubernetes(), environ, tmp_path)
    assert (found.host, found.ssl_ca_cert) == ("https://10.0.0.1:443", str(tmp_path / "ca.crt"))


def test_without_any_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"set kubernetes\.kubeconfig or KUBECONFIG"):
        configuration(Kubernetes(), {}, tmp_path)


@pytest.mark.parametrize("text", ["", "clusters: []", "just words", "a: [1"])
def test_a_kubeconfig_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(
        NotConfigured, match=f"the kubeconfig {re.escape(str(file))} cannot be used"
    ):
        configuration(Kubernetes(kubeconfig=file), {})


def test_an_unknown_context_is_named(kube: FakeKube, tmp_path: Path) -> None:
    settings = Kubernetes(kubeconfig=kube.kubeconfig(tmp_path), context="other")
    with pytest.raises(NotConfigured, match="other"):
        configuration(settings, {})


def test_the_environments_proxies_and_authorities_do_not_count(
    kube: FakeKube, tmp_path: Path
) -> None:
    kube.kubeconfig(tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from runner.kube.client import connect\n"
        "from runner.settings_model import Kubernetes\n"
        "client = connect(Kubernetes(kubeconfig=Path(sys.argv[1])), environ={})\n"
        "print(client.list_pods('a=b').pods)\n"
    )
    nowhere = "http://127.0.0.1:9"
    environ = {
        **os.environ,
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), nowhere),
        "all_proxy": nowhere,
        "no_proxy": "",
        "REQUESTS_CA_BUNDLE": "/nowhere",
    }
    command = [sys.executable, "-c", script, str(tmp_path / "kubeconfig")]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("()\n", 0), ended.stderr


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
