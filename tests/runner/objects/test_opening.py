from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.objects.filesystem import FilesystemStore
from runner.objects.opening import (
    StoreUnshared,
    StoreUnsupported,
    open_shared_store,
    open_store,
)
from runner.objects.s3_errors import StoreBucketMissing
from runner.settings_model import Settings
from tests.runner.objects.conftest import BUCKET
from tests.testbed.stores import StoreServer


def s3_settings(server: StoreServer, url: str) -> Settings:
    return Settings(object_store=url, executor="kubernetes", s3=server.settings())


def test_a_folder_is_opened(tmp_path: Path) -> None:
    settings = Settings(object_store=str(tmp_path / "store"))
    store = open_store(settings)
    assert isinstance(store, FilesystemStore)
    store.put("key", b"data")
    assert (tmp_path / "store" / "key").read_bytes() == b"data"


def test_a_folder_cannot_be_shared(tmp_path: Path) -> None:
    with pytest.raises(StoreUnshared, match=r"is a folder; Pods need s3://BUCKET"):
        open_shared_store(Settings(object_store=str(tmp_path)))


def test_a_bucket_is_opened_after_it_was_tried(minio_server: StoreServer) -> None:
    store = open_store(s3_settings(minio_server, f"s3://{BUCKET}/opened"))
    store.put("key", b"data")
    assert [info.key for info in store.list()] == ["key"]
    with pytest.raises(StoreBucketMissing):
        open_store(s3_settings(minio_server, "s3://no-such-bucket"))


def test_a_server_that_cannot_keep_uploads_apart_is_warned_of(
    minio_server: StoreServer, versitygw_server: StoreServer, caplog: pytest.LogCaptureFixture
) -> None:
    open_shared_store(s3_settings(minio_server, f"s3://{BUCKET}/quiet"))
    assert caplog.messages == []
    open_shared_store(s3_settings(versitygw_server, f"s3://{BUCKET}/warned"))
    assert [message.split(",")[0] for message in caplog.messages] == [
        f"{versitygw_server.endpoint} resolves `..` in the names of objects"
    ]


def test_without_boto3_it_says_what_to_install(
    minio_server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "runner.objects.s3", None)
    with pytest.raises(StoreUnsupported, match=r"install hookline\[s3\]"):
        open_store(s3_settings(minio_server, f"s3://{BUCKET}"))


def test_a_folder_loads_no_boto3(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from runner.objects.opening import open_store\n"
        "from runner.settings_model import Settings\n"
        f"open_store(Settings(object_store={str(tmp_path)!r}))\n"
        "sys.exit('botocore' in sys.modules or 'boto3' in sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
