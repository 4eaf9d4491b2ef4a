"""An instance whose cluster or store is away at the start: it opens, and says what it waits for."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from runner.executors.base import ExecutorUnusable
from runner.objects.s3_errors import StoreBucketMissing
from runner.server import open_instance
from runner.settings_model import S3, Kubernetes, Settings
from tests.runner.objects.conftest import available
from tests.support.fake_kube import FakeKube
from tests.support.kube_faults import Answer
from tests.testbed.stores import minio


def settings(folder: Path, kubernetes: Kubernetes, s3: S3) -> Settings:
    store = "s3://hookline"
    return Settings(
        data=folder, object_store=store, executor="kubernetes", kubernetes=kubernetes, s3=s3
    )


def test_what_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with FakeKube() as kube, available(minio()) as store:
        store.make_bucket()
        store.stop()
        kube.fault(Answer(503, "ServiceUnavailable", "starting"), times=5)
        told = settings(tmp_path, kube.settings(tmp_path), store.settings(timeout=2))
        with open_instance(told) as instance, TestClient(instance.app) as client:
            readiness = instance.services.readiness
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert answer.json()["error"]["message"] == (
                "not reached yet since the start: the object store and the cluster"
            )
            assert store.endpoint not in answer.text
            assert client.get("/healthz").status_code == 200
            store.server.start()
            readiness.look_again()
            assert readiness.awaited == ()
            assert client.get("/readyz").json() == {"status": "ok"}


def test_what_cannot_be_used_is_not_waited_for(tmp_path: Path) -> None:
    with FakeKube() as kube, available(minio()) as store:
        told = settings(tmp_path, kube.settings(tmp_path), store.settings())
        with pytest.raises(StoreBucketMissing), open_instance(told):
            pass
        store.make_bucket()
        kube.denied |= {"create pods"}
        with pytest.raises(ExecutorUnusable, match="create pods"), open_instance(told):
            pass
