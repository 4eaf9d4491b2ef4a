"""Where the cluster is, by kubeconfig or the Pod's own account, and what is said where it is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.kube.client import connect
from runner.kube.errors import NotConfigured
from runner.kube.kubeconfig import configuration
from runner.settings_model import Kubernetes
from tests.support.fake_kube import NAMESPACE, FakeKube


@pytest.fixture(name="kube")
def fake_kube() -> Iterator[FakeKube]:
    with FakeKube() as kube:
        yield kube


def refusal(settings: Kubernetes, **environ: str) -> NotConfigured:
    with pytest.raises(NotConfigured) as caught:
        configuration(settings, environ)
    return caught.value


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
    with pytest.raises(NotConfigured, match="no cluster is known") as caught:
        configuration(Kubernetes(), {}, tmp_path)
    assert caught.value.cure.startswith("set kubernetes.kubeconfig or KUBECONFIG")


@pytest.mark.parametrize("text", ["", "clusters: []", "just words", "a: [1"])
def test_a_kubeconfig_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(
        NotConfigured, match=f"the kubeconfig {re.escape(str(file))} cannot be used"
    ):
        configuration(Kubernetes(kubeconfig=file), {})


def test_a_kubeconfig_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    file = tmp_path / "none"
    told = refusal(Kubernetes(kubeconfig=file))
    assert told.message == f"kubernetes.kubeconfig: there is no file {file}"
    assert refusal(Kubernetes(), KUBECONFIG="/a:/b").message == "KUBECONFIG: there is no file /a:/b"
    assert told.cure == "name a kubeconfig that exists and can be read"


def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("clusters: [\n  oops: {")
    told = refusal(Kubernetes(kubeconfig=file)).message
    assert "\n" not in told
    assert told.endswith("line 2, column 10")


@pytest.mark.parametrize("text", ["just words", "[]", "contexts: [5]", "contexts: 5"])
def test_a_file_of_another_shape_is_told_as_such(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(f"current-context: a\n{text}\n" if "contexts" in text else text)
    assert "it is not shaped like one (" in refusal(Kubernetes(kubeconfig=file)).message


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    assert "Is a directory" in refusal(Kubernetes(kubeconfig=tmp_path)).message


def test_an_unknown_context_is_named_with_those_there_are(kube: FakeKube, tmp_path: Path) -> None:
    file = kube.kubeconfig(tmp_path)
    told = refusal(Kubernetes(kubeconfig=file, context="other"))
    assert told.message == (f"kubernetes.kubeconfig: the kubeconfig {file} has no context `other`")
    assert told.cure == "let kubernetes.context be one of those that it has: fake"
    file.write_text(file.read_text().replace("current-context: fake", "current-context: gone"))
    assert "no context `gone`" in refusal(Kubernetes(kubeconfig=file)).message
    assert configuration(Kubernetes(kubeconfig=file, context="fake"), {}).host == kube.url


def test_a_proxy_of_the_kubeconfig_is_used(kube: FakeKube, tmp_path: Path) -> None:
    file = kube.kubeconfig(tmp_path, **{"server": "http://api.invalid:1", "proxy-url": kube.url})
    client = connect(Kubernetes(kubeconfig=file, namespace=NAMESPACE), environ={})
    assert client.list_pods("a=b").pods == ()
    assert len(kube.acts("list pods")) == 1
    client.close()


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
