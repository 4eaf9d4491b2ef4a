"""The testbed is what it says: a real cluster and store, which can be cut off, and leaves no trace."""

from __future__ import annotations

import signal
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Testbed
from tests.testbed import cgroups, namespaces
from tests.testbed.cluster import Cluster, Part, down, find, up
from tests.testbed.layout import API_SERVICE
from tests.testbed.processes import recorded
from tests.testbed.tools import TestbedError

PATIENCE = 60.0
PLACES = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/run/containerd/s")


def pod(name: str, image: str, script: str) -> dict[str, Any]:
    """Return a Pod that meets the restricted standard."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def wait_for(what: str, found: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < until, f"no {what}"
        time.sleep(0.1)
    return result


def phase(testbed: Testbed, name: str) -> str:
    return testbed.kubectl("get", "pod", name, "--output=jsonpath={.status.phase}")


def run(testbed: Testbed, name: str, script: str) -> str:
    """Run the script in a Pod to its end, whatever it is; return its log."""
    testbed.apply(pod(name, testbed.busybox, script))
    wait_for(f"end of {name}", lambda: phase(testbed, name) in ("Succeeded", "Failed"))
    return testbed.kubectl("logs", name)


def test_a_restricted_pod_runs_and_its_log_is_read(testbed: Testbed) -> None:
    said = run(testbed, "a", "exec 2>&1; id -u; echo $0; touch /nowhere")
    assert said.splitlines()[:2] == ["10001", "sh"]
    assert "Read-only file system" in said
    assert phase(testbed, "a") == "Failed"
    testbed.kubectl("delete", "pod", "a", "--grace-period=0")
    testbed.until_empty()


def test_the_namespace_takes_restricted_pods_only(testbed: Testbed) -> None:
    loose = pod("loose", testbed.busybox, "true")
    del loose["spec"]["securityContext"]
    with pytest.raises(TestbedError, match='violates PodSecurity "restricted'):
        testbed.apply(loose)


def test_what_is_left_is_named(testbed: Testbed) -> None:
    testbed.kubectl("create", "secret", "generic", "forgotten")
    assert testbed.left() == ["secret/forgotten"]


def test_requests_are_counted(testbed: Testbed) -> None:
    before = testbed.requests()
    for _ in range(5):
        testbed.left()
    assert testbed.requests() >= before + 5
    assert testbed.idle_requests(seconds=1) >= 0


def test_objects_are_reached_from_outside(testbed: Testbed) -> None:
    client = testbed.s3_client()
    client.put_object(Bucket=testbed.bucket, Key=testbed.namespace, Body=b"seen")
    read = client.get_object(Bucket=testbed.bucket, Key=testbed.namespace)["Body"].read()
    client.delete_object(Bucket=testbed.bucket, Key=testbed.namespace)
    assert read == b"seen"


@contextmanager
def door(host: str) -> Iterator[int]:
    """Take connections at that address and close them; give the port."""
    with socketserver.ThreadingTCPServer((host, 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_cut_off_pods_reach_the_store_and_nothing_else(testbed: Testbed) -> None:
    layout = testbed.node.layout
    listening = pod("other", testbed.busybox, "while true; do nc -l -p 8080 </dev/null; done")
    testbed.apply(listening)
    other = wait_for(
        "address of the other Pod",
        lambda: testbed.kubectl("get", "pod", "other", "--output=jsonpath={.status.podIP}"),
    )
    wait_for("the other Pod", lambda: phase(testbed, "other") == "Running")
    with door(testbed.outside) as port:
        places = {
            "store": f"{layout.node} 9000",
            "api": f"{layout.node} 6443",
            "service": f"{API_SERVICE} 443",
            "kubelet": f"{layout.node} 10250",
            "pod": f"{other} 8080",
            "machine": f"{testbed.outside} {port}",
        }
        script = "\n".join(
            f"nc -w 3 {place} </dev/null >/dev/null 2>&1 && echo {name}"
            for name, place in places.items()
        )
        assert run(testbed, "free", script + "\ntrue").split() == list(places)
        with testbed.node.cut_off():
            assert run(testbed, "cut", script + "\ntrue").split() == ["store"]
        assert run(testbed, "again", script + "\ntrue").split() == list(places)


def test_parts_go_and_come_back(testbed: Testbed) -> None:
    with testbed.node.stopped(Part.API), pytest.raises(TestbedError, match="refused"):
        testbed.kubectl("get", "pods")
    assert testbed.left() == []
    client = testbed.s3_client()
    done = threading.Event()

    def ask() -> None:
        client.head_bucket(Bucket=testbed.bucket)
        done.set()

    asking = threading.Thread(target=ask)
    with testbed.node.paused(Part.MINIO):
        asking.start()
        assert not done.wait(0.5)
    asking.join(PATIENCE)
    assert done.is_set()
    with testbed.node.stopped(Part.KUBELET):
        assert not testbed.node.states()[Part.KUBELET]
    assert run(testbed, "after", "echo here") == "here\n"


@pytest.fixture
def folder(cluster: Testbed) -> Iterator[Path]:
    """A folder for a testbed beside the session's, where the session's can be one."""
    assert cluster.node is cluster.own
    place = Path(tempfile.mkdtemp(prefix="hookline-bed-"))
    place.rmdir()
    yield place
    down(place)


def traces(cluster: Cluster) -> list[str]:
    """Return what a testbed left on the machine, as words."""
    found = [f"group {group}" for group in cgroups.roots(cluster.layout) if group.exists()]
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    found += [f"link {line}" for line in links.stdout.splitlines() if cluster.layout.link in line]
    text = str(cluster.layout.folder)
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text in (place / "cmdline").read_text():
                found.append(f"process {place.name}")
            if text in (place / "mountinfo").read_text():
                found.append(f"mount of process {place.name}")
    return found + ([text] if cluster.layout.folder.exists() else [])


def with_a_pod(cluster: Cluster) -> None:
    """Have a Pod run that does not want to end."""
    testbed = Testbed(cluster.layout.kubeconfig, "", "", "", "", own=cluster)
    testbed.apply(pod("stays", testbed.busybox, "trap '' TERM; while true; do sleep 1000; done"))
    wait_for("running Pod", lambda: phase(testbed, "stays") == "Running")
    assert cgroups.members(cluster.layout)


def test_down_leaves_no_trace(folder: Path) -> None:
    before = {place: Path(place).exists() for place in PLACES}
    cluster = up(folder)
    with_a_pod(cluster)
    assert len(traces(cluster)) > 10
    assert up(folder) == cluster, "it serves, so it is the same"
    inside = namespaces.inhabitants(cluster.holder)
    down(folder)
    assert traces(cluster) == []
    assert find(folder) is None
    assert not [pid for pid in inside if _runs(pid)]
    assert {place: Path(place).exists() for place in PLACES} == before


def test_what_a_crash_left_is_removed_by_the_next_start(folder: Path) -> None:
    cluster = up(folder)
    with_a_pod(cluster)
    processes = recorded(folder)
    shims_and_containers = cgroups.members(cluster.layout) | (
        namespaces.inhabitants(cluster.holder) - {each.pid for each in processes.values()}
    )
    for each in processes.values():
        each.send(signal.SIGKILL)
    assert any(_runs(pid) for pid in shims_and_containers)
    assert not cluster.serves()
    fresh = up(folder)
    assert fresh.serves()
    assert fresh.secret_key != cluster.secret_key
    assert not [pid for pid in shims_and_containers if _runs(pid)]
    down(folder)
    assert traces(cluster) == []


def test_down_of_nothing_is_no_error(folder: Path) -> None:
    down(folder)
    assert find(folder) is None


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
