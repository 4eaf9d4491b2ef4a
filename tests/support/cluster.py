"""A real Kubernetes and a real object store for tests: the testbed, or what the environment names.

| environment | cluster and store |
| --- | --- |
| `HOOKLINE_TEST_BED` | the testbed in that folder, started if it does not run, and left running |
| `KUBECONFIG`, `HOOKLINE_TEST_S3_ENDPOINT`, `…_ACCESS_KEY`, `…_SECRET_KEY`, `…_BUCKET` | these |
| neither | a testbed of this session's own, which ends with it |

A cluster of somebody else's is given images by the command `HOOKLINE_TEST_LOAD_IMAGE`, to which the
archive's path is added; its Pods reach this machine at `HOOKLINE_TEST_OUTSIDE`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.testbed import images
from tests.testbed.cluster import Cluster, down, obstacle, up
from tests.testbed.layout import ACCESS_KEY, BUCKET, lock_file
from tests.testbed.processes import ENVIRONMENT
from tests.testbed.tools import TestbedError, binary

_SESSIONS = 32
_PATIENCE = 120.0
_KINDS = "pods,secrets,services,persistentvolumeclaims,jobs,cronjobs,deployments"
_REQUESTS = re.compile(r"^apiserver_request_total\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Testbed:
    """A cluster, a store, and a namespace in it which takes *restricted* Pods only."""

    __test__: ClassVar[bool] = False

    kubeconfig: Path
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    own: Cluster | None = field(default=None, repr=False)
    namespace: str = "default"
    loaded: set[str] = field(default_factory=set, repr=False)

    @property
    def node(self) -> Cluster:
        """The testbed's own machinery, to stop parts of it; the test is skipped where it is not ours."""
        if self.own is None:
            pytest.skip(
                "cluster: this test takes parts of the testbed away; it needs one of its own"
            )
        return self.own

    @property
    def outside(self) -> str:
        """The address of this machine as Pods see it."""
        if self.own is not None:
            return self.own.layout.outside
        if "HOOKLINE_TEST_OUTSIDE" not in os.environ:
            pytest.skip("cluster: HOOKLINE_TEST_OUTSIDE does not say how Pods reach this machine")
        return os.environ["HOOKLINE_TEST_OUTSIDE"]

    @property
    def busybox(self) -> str:
        """The name of an image with a shell, which the cluster has."""
        return self.load(images.busybox())

    def load(self, image: images.Image) -> str:
        """Give the cluster the image unless it has it, and return its name."""
        if image.name not in self.loaded:
            self.load_image(image.archive)
            self.loaded.add(image.name)
        return image.name

    def load_image(self, archive: Path) -> None:
        """Give the cluster the image of an OCI archive, under the name that the archive says."""
        if self.own is not None:
            self.own.load_image(archive)
            return
        command = os.environ.get("HOOKLINE_TEST_LOAD_IMAGE")
        if command is None:
            pytest.skip("cluster: HOOKLINE_TEST_LOAD_IMAGE does not say how it is given images")
        subprocess.run([*shlex.split(command), archive], check=True)

    def settings(self, **changes: str) -> dict[str, str]:
        """Return the variables that let a server run steps here; `changes` are further ones."""
        store = f"s3://{self.bucket}/{self.namespace}"
        return {
            "HOOKLINE_EXECUTOR": "kubernetes",
            "HOOKLINE_OBJECT_STORE": store,
            "HOOKLINE_S3__ENDPOINT": self.endpoint,
            "HOOKLINE_S3__ACCESS_KEY": self.access_key,
            "HOOKLINE_S3__SECRET_KEY": self.secret_key,
            "HOOKLINE_KUBERNETES__KUBECONFIG": str(self.kubeconfig),
            "HOOKLINE_KUBERNETES__NAMESPACE": self.namespace,
            "HOOKLINE_KUBERNETES__AGENT_IMAGE": self.load(images.hookline()),
            "HOOKLINE_KUBERNETES__DEFAULT_IMAGE": self.busybox,
            "HOOKLINE_KUBERNETES__CPU": "0.02",
            "HOOKLINE_KUBERNETES__MEMORY": "256 MiB",
            **changes,
        }

    def kubectl(self, *arguments: str, text: str = "") -> str:
        """Return what kubectl prints, given `text` on its input. TestbedError if it fails."""
        command = [_kubectl(), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}"]
        done = subprocess.run(
            [*command, *arguments],
            input=text,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            message = f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
            raise TestbedError(message)
        return done.stdout

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Create the object or make it so."""
        self.kubectl("apply", "-f", "-", text=json.dumps(manifest))

    def s3_client(self) -> Any:
        """Return boto3's client of the store, which does not heed the environment."""
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={}),
        )

    @contextmanager
    def fresh_namespace(self) -> Iterator[Testbed]:
        """Give the same testbed with a new namespace, which is gone after the block."""
        fresh = replace(self, namespace=f"test-{uuid.uuid4().hex[:12]}")
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": fresh.namespace, "labels": labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        try:
            _until(f"account in {fresh.namespace}", fresh._has_account)
            yield fresh
        finally:
            fresh.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")
            self.kubectl("delete", "namespace", fresh.namespace, "--wait=false")

    def left(self) -> list[str]:
        """Return what is in the namespace, as `kind/name`."""
        return self.kubectl("get", _KINDS, "--output=name").split()

    def until_empty(self) -> None:
        """Return when nothing is left in the namespace; fail, naming it, if something stays."""
        _until(f"empty namespace {self.namespace}", lambda: not self.left(), self.left)

    def requests(self) -> float:
        """Return how many requests the API server has answered, whoever's they were."""
        return sum(float(n) for n in _REQUESTS.findall(self.kubectl("get", "--raw", "/metrics")))

    def requests_of(self, agent: str) -> int:
        """Return how many requests came from programs of this name, its watches included."""
        wanted = f'"userAgent":"{agent}'
        with self.node.layout.audit.open() as audit:
            return sum(wanted in line for line in audit)

    def idle_requests(self, seconds: float = 20) -> float:
        """Return the requests a second while nobody does anything, watched for that time."""
        before, began = self.requests(), time.monotonic()
        time.sleep(seconds)
        return (self.requests() - before) / (time.monotonic() - began)

    def _has_account(self) -> bool:
        found = self.kubectl("get", "serviceaccount", "--output=name")
        return "serviceaccount/default" in found.split()

    def _environment(self) -> Mapping[str, str]:
        """Somebody else's cluster may need what is in the environment to log in; ours must not."""
        if self.own is None:
            return os.environ
        return {**ENVIRONMENT, "KUBECACHEDIR": str(self.own.layout.folder / "kubectl")}


@contextmanager
def shared_testbed() -> Iterator[Testbed]:
    """Give the cluster and the store for this session, whatever the environment says they are.

    TestbedError, which says why, where there can be none.
    """
    if kept := os.environ.get("HOOKLINE_TEST_BED"):
        yield _testbed(up(Path(kept).absolute()))
    elif foreign := _foreign(os.environ):
        yield foreign
    elif reason := obstacle():
        raise TestbedError(reason)
    else:
        with _own_folder() as folder:
            try:
                yield _testbed(up(folder))
            finally:
                down(folder)


@contextmanager
def testbed_for_this_run() -> Iterator[Testbed]:
    """Give what `shared_testbed` gives, in a fresh namespace."""
    with shared_testbed() as shared, shared.fresh_namespace() as testbed:
        yield testbed


def why_not() -> str | None:
    """Return why there can be no cluster here, None if there can be one."""
    if _foreign(os.environ):
        return None
    return obstacle()


def _testbed(cluster: Cluster) -> Testbed:
    layout = cluster.layout
    key = cluster.secret_key
    return Testbed(layout.kubeconfig, layout.store, ACCESS_KEY, key, BUCKET, own=cluster)


def _foreign(environ: Mapping[str, str]) -> Testbed | None:
    names = ["KUBECONFIG"]
    names += [f"HOOKLINE_TEST_S3_{x}" for x in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET")]
    if not all(environ.get(name) for name in names):
        return None
    kubeconfig, endpoint, access_key, secret_key, bucket = (environ[name] for name in names)
    return Testbed(Path(kubeconfig), endpoint, access_key, secret_key, bucket)


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Give the first folder that no other session holds; what a dead one left there, `up` removes."""
    for number in range(1, _SESSIONS):
        folder = Path(tempfile.gettempdir(), f"hookline-testbed-tests-{number}")
        mark = lock_file(folder).with_suffix(".session")
        mark.parent.mkdir(parents=True, exist_ok=True)
        with mark.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    message = f"{_SESSIONS - 1} sessions with a testbed of their own run at the same time"
    raise TestbedError(message)


def _kubectl() -> str | Path:
    return shutil.which("kubectl") or binary("kubectl")


def _until(what: str, true: Any, left: Any = None) -> None:
    until = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > until:
            details = f": {left()}" if left else ""
            message = f"no {what} after {_PATIENCE:.0f} seconds{details}"
            raise AssertionError(message)
        time.sleep(0.1)
