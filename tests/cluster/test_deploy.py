"""What is shipped for the cluster, as a real API server sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import MANIFESTS, TRY_OUT, Object, template
from tests.support.cluster import Testbed
from tests.testbed.tools import TestbedError

pytestmark = pytest.mark.xdist_group("cluster")

GOLDEN = Path(__file__).parent / "golden" / "rights.txt"


@pytest.fixture
def runs(cluster: Testbed) -> Iterator[Testbed]:
    """The testbed in another namespace, for the runs."""
    with cluster.fresh_namespace() as testbed:
        yield testbed


def values_for(runs: Testbed) -> dict[str, Any]:
    """Return values that install nothing that would run."""
    return {
        "controller": {"replicas": 0},
        "ingress": {"enabled": True, "tls": {"secret": "cert"}},
        "runs": {"namespace": runs.namespace, "createNamespace": False},
    }


def kubectl(testbed: Testbed, *arguments: str, text: str) -> str:
    """Run kubectl on objects that say themselves in which namespace they are."""
    return testbed.kubectl(*arguments, "-f", "-", "--namespace=", text=text)


def moved(text: str, places: dict[str, str]) -> str:
    """Return manifests whose objects lie in other namespaces, without the namespaces themselves."""
    objects: list[Object] = [each for each in yaml.safe_load_all(text) if each]
    kept = [each for each in objects if each["kind"] != "Namespace"]
    for each in kept:
        each["metadata"]["namespace"] = places[each["metadata"]["namespace"]]
    return yaml.safe_dump_all(kept)


def test_the_server_has_these_rights_and_no_others(testbed: Testbed, runs: Testbed) -> None:
    """What everybody who is logged in may ask, such as what he may do, is among them."""
    kubectl(
        testbed,
        "apply",
        "--validate=strict",
        text=template(values_for(runs), namespace=testbed.namespace),
    )
    account = f"--as=system:serviceaccount:{testbed.namespace}:hookline"
    asked = {"where steps run": runs, "where the server is": testbed}
    told = "".join(
        f"# {where}\n{_rights(place.kubectl('auth', 'can-i', '--list', account))}\n"
        for where, place in asked.items()
    )
    assert told == GOLDEN.read_text()
    with pytest.raises(TestbedError):
        runs.kubectl("auth", "can-i", "get", "secrets", account)
    with pytest.raises(TestbedError):
        testbed.kubectl("auth", "can-i", "list", "pods", "--all-namespaces", account)


def _rights(listing: str) -> str:
    """Return a listing in order, with one blank between its columns.

    Without paths such as `/version`, which clusters show to everybody or not.
    """
    lines = [re.sub(r" +", " ", line).strip() for line in listing.splitlines()[1:]]
    return "\n".join(sorted(line for line in lines if not line.startswith("["))) + "\n"


def test_the_namespace_of_runs_refuses_what_no_step_needs(testbed: Testbed, runs: Testbed) -> None:
    kubectl(testbed, "apply", text=template(values_for(runs), namespace=testbed.namespace))
    with pytest.raises(TestbedError, match="exceeded quota"):
        runs.kubectl("create", "service", "clusterip", "x", "--tcp=80")
    greedy = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "greedy"},
        "spec": {
            "containers": [
                {"name": "c", "image": "x", "resources": {"limits": {"cpu": "9", "memory": "1Gi"}}}
            ]
        },
    }
    with pytest.raises(TestbedError, match="maximum cpu usage per Container is 8"):
        runs.apply(greedy)


@pytest.mark.parametrize("what", ["try-out", "manifests", "everything"])
def test_the_api_server_takes_all_of_it(testbed: Testbed, runs: Testbed, what: str) -> None:
    """With every field known, and no warning: Pod Security warns of what it would refuse."""
    namespace = testbed.namespace
    match what:
        case "try-out":
            text = template(values_for(runs), namespace=namespace, files=[TRY_OUT])
        case "manifests":
            places = {"hookline": namespace, "hookline-runs": runs.namespace}
            text = moved(MANIFESTS.read_text(), places)
        case _:
            values = values_for(runs)
            place = {**EVERYTHING["runs"], **values["runs"]}
            text = template({**values, **EVERYTHING, "runs": place}, namespace=namespace)
    told = kubectl(testbed, "apply", "--dry-run=server", "--validate=strict", text=text)
    assert len(told.splitlines()) >= 9
    assert all(line.endswith("created (server dry run)") for line in told.splitlines())


EVERYTHING: dict[str, Any] = {
    "controller": {
        "replicas": 0,
        "data": {"claim": "data"},
        "labels": {"team": "ci"},
        "annotations": {"note": "x"},
        "nodeSelector": {"pool": "ci"},
        "tolerations": [{"key": "ci", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClass": "",
    },
    "image": {"pullSecrets": ["registry"]},
    "objectStore": {"ca": {"configMap": "ca"}},
    "serviceAccount": {"annotations": {"role": "x"}},
    "service": {"type": "NodePort", "annotations": {"note": "x"}},
    "ingress": {"enabled": True, "className": "nginx", "annotations": {"note": "x"}},
    "runs": {
        "maxCpu": 2.5,
        "quota": {"hard": {"requests.cpu": "64"}},
        "network": {
            "objectStore": {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [9000]},
            "apiServers": ["203.0.113.7/32", "2001:db8::7/128"],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}],
        },
    },
}
