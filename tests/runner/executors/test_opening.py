"""The executor that the settings name, or words that say why it cannot work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.executors.base import ABSENT, AttemptId, ExecutorUnusable
from runner.executors.kubernetes.executor import KubernetesExecutor
from runner.executors.local import LocalExecutor
from runner.executors.opening import open_kubernetes, open_local
from runner.logs import LogBook
from runner.settings_model import S3, Kubernetes, Settings
from runner.workspace.snapshots import Snapshots
from tests.runner.executors.kubernetes.rig import SharedMemory
from tests.support.fake_kube import FakeKube
from tests.support.presigned import presigned_store


@pytest.fixture
def objects() -> Iterator[SharedMemory]:
    with presigned_store() as store:
        yield SharedMemory(store)


def settings(kubernetes: Kubernetes, s3: S3 | None = None) -> Settings:
    return Settings(
        object_store="s3://hookline", executor="kubernetes", kubernetes=kubernetes, s3=s3 or S3()
    )


def test_processes_of_this_machine(tmp_path: Path, objects: SharedMemory) -> None:
    logs = LogBook(tmp_path / "spool", objects)
    executor = open_local(Settings(data=tmp_path), logs)
    assert isinstance(executor, LocalExecutor)
    executor.close()


def test_processes_need_a_folder(tmp_path: Path, objects: SharedMemory) -> None:
    logs = LogBook(tmp_path / "spool", objects)
    with pytest.raises(ExecutorUnusable, match=r"needs an object_store that is a folder, not s3:"):
        open_local(settings(Kubernetes()), logs)


def test_pods_of_a_cluster(tmp_path: Path, objects: SharedMemory) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    with FakeKube() as kube:
        told = settings(kube.settings(tmp_path), S3(ca_file=ca))
        logs = LogBook(tmp_path / "spool", objects)
        executor = open_kubernetes(told, objects, Snapshots(objects), logs)
        assert isinstance(executor, KubernetesExecutor)
        assert executor.look(AttemptId("r", "s", 1)) == ABSENT
        executor.close()


def test_rights_that_are_missing_are_named(tmp_path: Path, objects: SharedMemory) -> None:
    with FakeKube() as kube:
        kube.denied |= {"get pods/log"}
        told = settings(kube.settings(tmp_path))
        logs = LogBook(tmp_path / "spool", objects)
        with pytest.raises(
            ExecutorUnusable, match=r"in the namespace hookline-runs .* missing: get pods/log$"
        ):
            open_kubernetes(told, objects, Snapshots(objects), logs)


def test_a_cluster_that_nobody_told_of(tmp_path: Path, objects: SharedMemory) -> None:
    told = settings(Kubernetes(kubeconfig=tmp_path / "none"))
    logs = LogBook(tmp_path / "spool", objects)
    with pytest.raises(
        ExecutorUnusable, match=r"executor: kubernetes\.kubeconfig: there is no file"
    ):
        open_kubernetes(told, objects, Snapshots(objects), logs)


def test_without_the_extra_it_says_what_to_install() -> None:
    """In a process of its own, in which the client cannot be imported."""
    script = """
import sys
sys.modules["kubernetes"] = None
from runner.executors.base import ExecutorUnusable
from runner.executors.opening import open_kubernetes
try:
    open_kubernetes(None, None, None, None)
except ExecutorUnusable as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "install hookline[kubernetes]" in done.stdout, done.stderr
