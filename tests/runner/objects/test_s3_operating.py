"""What docs/operate/s3.md promises: the policy is enough, other tools read the store, all is told."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.objects import opening, s3_errors
from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.objects.s3 import ClientBucket, connect, open_s3
from runner.objects.s3_errors import Place, StoreDenied
from runner.objects.s3_store import S3Store
from runner.settings_model import S3
from tests.runner.objects.conftest import BUCKET, fresh
from tests.runner.objects.contract import ObjectStoreContract
from tests.runner.objects.scripted import no_presigner
from tests.testbed.stores import StoreServer

PAGE = Path(__file__).parents[3] / "docs" / "operate" / "s3.md"
PLACE = "s3://hookline/ci"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def account(minio_server: StoreServer) -> S3:
    """A user of MinIO with the policy of the page, made as the page says."""
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    policy = json.loads(found[1])
    assert f"arn:aws:s3:::{BUCKET}" in str(policy)
    path = minio_server.folder / "policy.json"
    path.write_text(found[1])
    minio_server.mc("admin", "user", "add", "store", "hookline", "as-narrow-as-can-be")
    minio_server.mc("admin", "policy", "create", "store", "hookline", path)
    minio_server.mc("admin", "policy", "attach", "store", "hookline", "--user", "hookline")
    return minio_server.settings(access_key="hookline", secret_key="as-narrow-as-can-be")


@pytest.fixture(scope="module")
def client(account: S3) -> Any:
    """boto3's client with that user's key."""
    return connect(account, account.endpoint)


class TestTheNarrowPolicy(ObjectStoreContract):
    histories = 2

    @pytest.fixture
    def store(self, client: Any) -> S3Store:
        place = Place.of(f"{PLACE}/{next(_numbers)}", "MinIO")
        return S3Store(ClientBucket(client, place), no_presigner())


def test_the_narrow_policy_is_enough_for_the_rest(account: S3) -> None:
    store = open_s3(PLACE, account)
    store.check()
    large = b"x" * (17 * 2**20)
    store.put("log", large)
    assert store.get("log") == large
    store.delete(["log"])


def test_the_narrow_policy_is_narrow(account: S3, minio_server: StoreServer) -> None:
    bucket = minio_server.make_bucket("others")
    for url in (f"s3://{BUCKET}/tests", f"s3://{BUCKET}/cia", f"s3://{BUCKET}", f"s3://{bucket}"):
        store = open_s3(url, account)
        for act in (
            lambda store=store: store.put("key", b""),
            lambda store=store: store.get("key"),
            lambda store=store: store.delete(["key"]),
            lambda store=store: list(store.list()),
        ):
            with pytest.raises(StoreDenied):
                act()


@pytest.fixture
def stored(minio_server: StoreServer) -> Iterator[str]:
    """Something that Hookline has stored; give its address."""
    store = fresh(minio_server)
    store.put("logs/r1/build-1", b"a log")
    store.put("packs/ab/abc", os.urandom(17 * 2**20))
    where = next(
        item["Key"]
        for item in minio_server.client().list_objects_v2(Bucket=BUCKET)["Contents"]
        if item["Key"].endswith("logs/r1/build-1")
    )
    yield f"{BUCKET}/{where.removesuffix('logs/r1/build-1')}"
    store.delete(["logs/r1/build-1", "packs/ab/abc"])


def test_mc_lists_and_fetches(minio_server: StoreServer, stored: str, tmp_path: Path) -> None:
    listed = minio_server.mc("ls", "--recursive", f"store/{stored}")
    assert [line.split()[-1] for line in listed.splitlines()] == ["logs/r1/build-1", "packs/ab/abc"]
    assert minio_server.mc("cat", f"store/{stored}logs/r1/build-1") == "a log"
    minio_server.mc("cp", f"store/{stored}packs/ab/abc", tmp_path / "pack")
    assert (tmp_path / "pack").stat().st_size == 17 * 2**20


def test_s3cmd_lists_and_fetches(minio_server: StoreServer, stored: str, tmp_path: Path) -> None:
    program = shutil.which("s3cmd")
    if program is None:
        pytest.skip("s3cmd is not installed")
    host = minio_server.endpoint.removeprefix("http://")
    (tmp_path / "s3cfg").write_text(
        f"[default]\naccess_key = {minio_server.access_key}\nuse_https = False\n"
        f"secret_key = {minio_server.secret_key}\nhost_base = {host}\nhost_bucket = {host}\n"
    )

    def s3cmd(*arguments: str | Path) -> str:
        command = [program, "--config", tmp_path / "s3cfg", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = s3cmd("ls", "--recursive", f"s3://{stored}")
    assert [line.split()[-1] for line in listed.splitlines()] == [
        f"s3://{stored}logs/r1/build-1",
        f"s3://{stored}packs/ab/abc",
    ]
    for name in ("logs/r1/build-1", "packs/ab/abc"):
        s3cmd("get", "--quiet", f"s3://{stored}{name}", tmp_path / name.rpartition("/")[2])
    assert (tmp_path / "build-1").read_bytes() == b"a log"
    assert (tmp_path / "abc").stat().st_size == 17 * 2**20


def test_every_error_is_told_on_the_page() -> None:
    kinds = {
        kind
        for module in (s3_errors, opening)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ObjectStoreError)
    } | {ObjectMissing}
    told = re.findall(r"^\| `(object-[a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(kind.code for kind in kinds)
