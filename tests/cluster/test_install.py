"""The server as a Pod, installed by helm from the chart: a push becomes steps, as anywhere."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.chart import CHART
from tests.e2e.servers import pretty, states, wait_for
from tests.support.cluster import Testbed
from tests.testbed import images
from tests.testbed.processes import ENVIRONMENT
from tests.testbed.tools import binary

pytestmark = pytest.mark.xdist_group("cluster")

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PIPELINE = """
steps:
  make: {run: 'echo hello > made; id -u'}
  test: {needs: make, run: 'grep hello made; test ! -e /var/run/secrets/kubernetes.io'}
"""


PUSH = """
cd /tmp
git init -q --bare -b main demo.git
hookline hook install /tmp/demo.git --name acme/demo
git clone -q demo.git work 2>&1
cd work
cat >.ci.yaml
git add -A
git -c user.name=Ann -c user.email=ann@example.com commit -q -m "A change"
git push -q origin HEAD:refs/heads/main
"""


@dataclass(frozen=True)
class Installed:
    """A release, the namespace of its runs, and what helm said of it."""

    testbed: Testbed
    runs: Testbed
    notes: str

    def inside(self, *command: str, text: str = "") -> str:
        """Run a command in the server's own Pod."""
        return self.testbed.kubectl("exec", "-i", "deployment/hookline", "--", *command, text=text)

    def asked(self, path: str) -> str:
        """Return what the server answers, reached by its Service."""
        place = f"/api/v1/namespaces/{self.testbed.namespace}/services/hookline:http/proxy"
        return self.testbed.kubectl("get", "--raw", place + path)


def helm(testbed: Testbed, *arguments: str | Path) -> str:
    """Run helm on the testbed; fail with what it and the server say."""
    environment = {**ENVIRONMENT, "HOME": str(testbed.kubeconfig.parent)}
    done = subprocess.run(
        [
            binary("helm"),
            f"--kubeconfig={testbed.kubeconfig}",
            f"--namespace={testbed.namespace}",
            *arguments,
        ],
        env=environment if testbed.own else os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        logs = testbed.kubectl("logs", "deployment/hookline", "--all-containers", "--tail=50")
        pods = testbed.kubectl("describe", "pods")
        raise AssertionError(f"{done.stderr}\n{pods}\n{logs}")
    return done.stdout


def values_for(testbed: Testbed, runs: Testbed) -> dict[str, object]:
    repository, _, tag = testbed.load(images.hookline()).rpartition(":")
    return {
        # As it is seen from inside its Pod, where all of the test happens.
        "url": "http://localhost:8080",
        "image": {"repository": repository, "tag": tag},
        "settings": {"log_level": "debug", "retention.every": "1h"},
        "controller": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
        "database": {"kind": "sqlite"},
        "objectStore": {
            "url": f"s3://{testbed.bucket}/{testbed.namespace}",
            "endpoint": testbed.endpoint,
        },
        "runs": {
            "namespace": runs.namespace,
            "createNamespace": False,
            "defaultImage": testbed.busybox,
            "cpu": 0.02,
            "memory": "256Mi",
        },
    }


@pytest.fixture
def installed(testbed: Testbed, cluster: Testbed, tmp_path: Path) -> Iterator[Installed]:
    with cluster.fresh_namespace() as runs:
        store = {"access-key": testbed.access_key, "secret-key": testbed.secret_key}
        make_secret(testbed, "hookline-store", store)
        make_secret(testbed, "hookline-sealing", {"key": KEY})
        values = tmp_path / "values.json"
        values.write_text(json.dumps(values_for(testbed, runs)))
        waiting = (f"--values={values}", "--wait", "--timeout=3m")
        told = helm(testbed, "install", "hookline", CHART, *waiting)
        yield Installed(testbed, runs, told.partition("NOTES:")[2])
        helm(testbed, "uninstall", "hookline", "--wait")


def make_secret(testbed: Testbed, name: str, values: Mapping[str, str]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    testbed.apply({**secret, "stringData": values})


def test_a_push_becomes_pods(installed: Installed) -> None:
    """Pushed inside the server's Pod, as it fetches from there and by https only."""
    assert "hookline repo add" in installed.notes
    for path in ("/healthz", "/readyz"):
        assert json.loads(installed.asked(path)) == {"status": "ok"}
    installed.inside("sh", "-e", "-c", PUSH, text=PIPELINE)
    run = wait_for("end of the run", lambda: ended(installed), 180)
    assert run["status"] == "success", pretty(run)
    assert states(run) == {"make": "success", "test": "success"}
    assert "10001" in installed.inside("hookline", "logs", run["id"], "make")
    installed.runs.until_empty()


def test_its_data_folder_is_all_it_writes_and_it_sweeps(installed: Installed) -> None:
    script = "touch /opt/x /etc/x /home/x 2>/dev/null; id -u; touch $HOOKLINE_DATA/x /tmp/x && echo wrote"
    assert installed.inside(
        "sh", "-c", f"{script}; ls /opt/x /etc/x 2>/dev/null || true"
    ).split() == [
        "10001",
        "wrote",
    ]
    assert installed.inside("hookline", "sweep").strip() == "nothing to remove"


def ended(installed: Installed) -> dict[str, Any] | None:
    """Return the only run, once it has ended."""
    runs = json.loads(installed.inside("hookline", "runs", "--json"))["runs"]
    if not runs or runs[0]["ended_at"] is None:
        return None
    return dict(json.loads(installed.inside("hookline", "show", runs[0]["id"], "--json")))
