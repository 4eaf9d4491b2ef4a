"""Everything that may be wrong with a store, made to happen, and told so that it can be mended."""

from __future__ import annotations

import datetime
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import auth  # type: ignore[import-untyped]

from runner.objects.base import ObjectStore, ObjectStoreError
from runner.objects.s3 import ClientBucket, connect, open_s3
from runner.objects.s3_errors import (
    Place,
    S3Error,
    StoreBucketMissing,
    StoreBusy,
    StoreClock,
    StoreDenied,
    StoreForeign,
    StoreFull,
    StoreLogin,
    StoreRegion,
    StoreTls,
    StoreTooLarge,
    StoreUnreachable,
)
from runner.objects.s3_store import S3Store
from runner.settings_model import S3
from tests.runner.objects.conftest import BUCKET, available, fresh
from tests.runner.objects.scripted import no_presigner
from tests.runner.objects.servers import (
    answering,
    asking_for_md5,
    behaving,
    breaking_off,
    hanging_up,
    write_certificate,
)
from tests.testbed.stores import StoreServer, versitygw

URL = f"s3://{BUCKET}/failures"


def opened(endpoint: str, url: str = URL, attempts: int = 1, **changes: Any) -> S3Store:
    """Return a store that loses its patience at once unless told otherwise."""
    values = {"access_key": "key", "secret_key": "secret", "patience": 0.001} | changes
    return open_s3(url, S3.model_validate({"endpoint": endpoint} | values), attempts=attempts)


def login(server: StoreServer) -> dict[str, Any]:
    return {"access_key": server.access_key, "secret_key": server.secret_key}


def each_act(store: ObjectStore) -> list[Callable[[], object]]:
    return [
        lambda: store.put("key", b"data"),
        lambda: store.create("key", b"data"),
        lambda: store.get("key"),
        lambda: store.size("key"),
        lambda: list(store.list()),
        lambda: store.delete(["key"]),
    ]


def test_a_wrong_key(server: StoreServer) -> None:
    for wrong in ({"access_key": "nobody"}, {"secret_key": "wrong"}):
        store = opened(server.endpoint, **(login(server) | wrong))
        for act in each_act(store):
            with pytest.raises(StoreLogin, match=r"look at s3\.access_key and s3\.secret_key"):
                act()


def test_no_bucket(server: StoreServer) -> None:
    store = opened(server.endpoint, "s3://no-such-bucket/x", **login(server))
    for act in each_act(store):
        with pytest.raises(StoreBucketMissing, match=r"s3://no-such-bucket/x/ at .*make it, or"):
            act()


def test_a_key_that_may_only_read(minio_server: StoreServer) -> None:
    fresh(minio_server).put("key", b"")
    minio_server.mc("admin", "user", "add", "store", "reader", "reading-all-day")
    minio_server.mc("admin", "policy", "attach", "store", "readonly", "--user", "reader")
    store = opened(minio_server.endpoint, access_key="reader", secret_key="reading-all-day")
    with pytest.raises(StoreDenied, match=r"cannot write key .*it takes s3:PutObject"):
        store.put("key", b"")
    with pytest.raises(StoreDenied, match=r"cannot remove key .*it takes s3:DeleteObject"):
        store.delete(["key"])


def test_a_clock_that_is_wrong(server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(auth.S3SigV4Auth):  # type: ignore[misc]
        """Signs as a machine does whose clock is an hour late."""

        def add_auth(self, request: Any) -> None:
            told = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
            request.context["timestamp"] = told.strftime(auth.SIGV4_TIMESTAMP)
            self._modify_request_before_signing(request)
            text = self.string_to_sign(request, self.canonical_request(request))
            self._inject_signature_to_request(request, self.signature(text, request))

    monkeypatch.setitem(auth.AUTH_TYPE_MAPS, "late", Late)
    client = connect(server.settings(), server.endpoint)
    client.meta.events.register("choose-signer.s3", lambda **_: "late")
    store = S3Store(ClientBucket(client, Place.of(URL, server.endpoint)), no_presigner())
    for act in each_act(store):
        with pytest.raises(StoreClock, match="set both by NTP"):
            act()


def test_another_region() -> None:
    with available(versitygw("--region", "eu-central-1", buckets=[BUCKET])) as server:
        store = open_s3(URL, server.settings())
        with pytest.raises(StoreRegion, match=r"look at s3\.region .*eu-central-1"):
            store.put("key", b"data")
        right = open_s3(URL, server.settings(region="eu-central-1"))
        right.put("key", b"data")
        assert right.get("key") == b"data"


def test_a_quota_that_is_used_up(minio_server: StoreServer) -> None:
    bucket = minio_server.make_bucket("small")
    minio_server.mc("quota", "set", f"store/{bucket}", "--size", "10KiB")
    store = open_s3(f"s3://{bucket}", minio_server.settings())
    with pytest.raises(StoreFull, match=r"cannot write key .*quota is used up"):
        store.put("key", b"x" * 20_000)
    assert store.size("key") is None


def test_nobody_there(own_minio: StoreServer) -> None:
    own_minio.stop()
    for act in each_act(opened(own_minio.endpoint)):
        with pytest.raises(
            StoreUnreachable, match=r"at http://127\.0\.0\.1:.*look whether it runs"
        ):
            act()


def test_a_store_that_stands_still(own_minio: StoreServer) -> None:
    hasty = opened(own_minio.endpoint, timeout=0.2, **login(own_minio))
    patient = opened(own_minio.endpoint, timeout=0.2, **login(own_minio) | {"patience": 60.0})
    patient.put("key", b"before")
    own_minio.pause()
    with pytest.raises(StoreUnreachable, match=r"[Rr]ead timeout"):
        hasty.get("key")
    back = threading.Timer(1.0, own_minio.resume)
    back.start()
    assert patient.get("key") == b"before"
    back.join()


def test_a_store_that_goes_and_comes_back(own_minio: StoreServer) -> None:
    store = opened(own_minio.endpoint, attempts=2, **login(own_minio) | {"patience": 60.0})
    data = random.Random(1).randbytes(300_000)
    ended, failed = threading.Event(), []
    started = threading.Barrier(4)

    def work(worker: int) -> None:
        started.wait(60)
        number = 0
        try:
            while not ended.is_set() or number < 5:
                key = f"{worker}/{number}"
                assert store.create(key, data)
                assert store.get(key) == data
                number += 1
        except BaseException as error:  # to be told by the test, not by the thread
            failed.append(error)
            raise

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    started.wait(60)
    for _ in range(2):
        own_minio.stop()
        own_minio.start()
        # Something was written since, so that the next stop finds work going on.
        count = len(list(store.list()))
        while len(list(store.list())) <= count and not failed:
            time.sleep(0.01)
    ended.set()
    for worker in workers:
        worker.join()
    assert failed == []


def test_a_body_that_breaks_off() -> None:
    with (
        behaving(breaking_off) as url,
        pytest.raises(StoreUnreachable, match=r"cannot read key .*broke off"),
    ):
        opened(url).get("key")


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (404, StoreForeign, "no S3 server; look at s3.endpoint"),
        (403, StoreForeign, "no S3 server; look at s3.endpoint"),
        (405, StoreForeign, "no S3 server; look at s3.endpoint"),
        (302, StoreForeign, "no S3 server; look at s3.endpoint"),
        (413, StoreTooLarge, "a proxy before it, takes no body this large"),
        (502, StoreBusy, "look at its own log"),
        (507, StoreFull, "free some space there"),
    ],
)
def test_something_else_answers(status: int, kind: type[S3Error], advice: str) -> None:
    with behaving(answering(status)) as url:
        for act in each_act(opened(url)):
            with pytest.raises(kind, match=advice) as caught:
                act()
            assert str(status) in str(caught.value)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><p>hi", b"hello", b"<x/>", b""])
def test_something_else_is_content_with_everything(body: bytes) -> None:
    with behaving(answering(200, body)) as url:
        store = opened(url)
        with pytest.raises(StoreForeign):
            list(store.list())
        with pytest.raises(StoreForeign):
            store.check()


def test_words_of_a_store_that_nobody_knows_are_told() -> None:
    body = b"<Error><Code>OutOfCheese</Code><Message>Redo from start</Message></Error>"
    with behaving(answering(400, body)) as url:
        with pytest.raises(S3Error, match="OutOfCheese Redo from start") as caught:
            opened(url).get("key")
        assert type(caught.value) is S3Error


def test_tls_with_a_certificate_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = write_certificate(tmp_path)
    tls = versitygw("--cert", certificate, "--key", key, buckets=[BUCKET], scheme="https")
    with available(tls) as server:
        with pytest.raises(StoreTls, match=r"look at s3\.ca_file.*self.signed"):
            opened(server.endpoint, **login(server)).get("key")
        # What the environment names for others does not matter to whoever says it here.
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "absent.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
        store = opened(server.endpoint, **login(server), ca_file=certificate)
        store.put("key", b"data")
        assert store.get("key") == b"data"


def test_tls_where_there_is_none(minio_server: StoreServer) -> None:
    endpoint = minio_server.endpoint.replace("http:", "https:")
    with pytest.raises(StoreTls, match=r"whether s3\.endpoint is http or https"):
        opened(endpoint).get("key")


def test_tls_that_is_hung_up_on() -> None:
    with hanging_up() as url, pytest.raises(StoreUnreachable, match="broke off"):
        opened(url).get("key")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_are_none_are_told_at_once(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StoreTls, match=r"cannot use the certificates in .*ca\.pem"):
        opened("https://127.0.0.1:1", ca_file=path)


def surprise(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set whatever Amazon's tools listen to, to what leads nowhere."""
    (folder / "config").write_text("[profile other]\ns3 =\n  addressing_style = virtual\n")
    for name, value in {
        "AWS_PROFILE": "absent",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "absent"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "mars-north-1",
        "AWS_REGION": "mars-north-1",
        "AWS_ACCESS_KEY_ID": "wrong",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_MAX_ATTEMPTS": "99",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def test_the_environment_changes_nothing_that_settings_say(
    minio_server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surprise(monkeypatch, tmp_path)
    store = open_s3(URL, minio_server.settings())
    store.put("key", b"data")
    assert store.get("key") == b"data"
    assert store.presigned_get("key", 60).startswith(minio_server.endpoint)


def test_without_a_key_the_environment_is_asked(
    minio_server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surprise(monkeypatch, tmp_path)
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", minio_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", minio_server.secret_key)
    store = open_s3(URL, S3(endpoint=minio_server.endpoint))
    store.put("key", b"data")
    assert store.get("key") == b"data"


def test_no_key_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surprise(monkeypatch, tmp_path)
    with pytest.raises(StoreLogin, match=r"profile .absent. could not be found|\(absent\)"):
        open_s3(URL, S3(endpoint="http://127.0.0.1:1"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    store = open_s3(URL, S3(endpoint="http://127.0.0.1:1", patience=0.001))
    with pytest.raises(StoreLogin, match="Unable to locate credentials"):
        store.get("key")


def test_without_an_address_it_is_amazons() -> None:
    settings = S3(region="eu-central-1", access_key="key", secret_key="secret")  # type: ignore[arg-type]
    url = open_s3("s3://ci/a", settings).presigned_get("key", 60)
    assert url.startswith("https://s3.eu-central-1.amazonaws.com/ci/a/key?")


def test_an_address_that_boto3_does_not_like() -> None:
    with pytest.raises(S3Error, match="cannot write key"):
        opened("http://127.0.0.1:1", "s3://b..d/x").put("key", b"")


def test_deletions_carry_both_checksums() -> None:
    with behaving(asking_for_md5) as url:
        opened(url).delete(["key"])


def test_every_failure_is_an_error_of_stores() -> None:
    with behaving(answering(500)) as url:
        for act in each_act(opened(url)):
            with pytest.raises(ObjectStoreError) as caught:
                act()
            assert "secret" not in str(caught.value)
