from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.objects.s3 import open_s3
from runner.objects.s3_errors import Place, StoreBusy, StoreDenied, StorePrecondition
from runner.objects.s3_patience import Patience
from runner.objects.s3_store import PART, S3Store
from tests.runner.objects.conftest import BUCKET, available, fresh
from tests.runner.objects.contract import ObjectStoreContract
from tests.runner.objects.scripted import ScriptedBucket, body, no_presigner
from tests.testbed.stores import StoreServer, minio

MIB = 2**20
SMALLEST_PART = 5 * MIB
"""What S3 takes for any part but the last."""


class TestMinio(ObjectStoreContract):
    histories = 4

    @pytest.fixture
    def store(self, minio_server: StoreServer) -> S3Store:
        return fresh(minio_server)


class TestVersitygw(ObjectStoreContract):
    histories = 4

    @pytest.fixture
    def store(self, versitygw_server: StoreServer) -> S3Store:
        return fresh(versitygw_server)


@pytest.fixture(scope="module")
def erasure_set() -> Iterator[StoreServer]:
    """MinIO with five drives, of which one is gone since it has served something."""
    with available(minio(drives=5)) as server:
        server.make_bucket(BUCKET)
        fresh(server).put("before", b"x" * MIB)
        server.remove_drive(2)
        yield server


class TestMinioWithoutOneOfItsDrives(ObjectStoreContract):
    histories = 2

    @pytest.fixture
    def store(self, erasure_set: StoreServer) -> S3Store:
        return fresh(erasure_set)


def test_a_drive_may_go_while_objects_come_and_go() -> None:
    with available(minio(drives=5)) as server:
        server.make_bucket(BUCKET)
        store = fresh(server)
        broken = threading.Event()

        def work(number: int) -> int:
            done = 0
            while done < 20 or not broken.is_set():
                store.put(f"packs/{number}/{done}", b"%d" % done * 50_000)
                assert store.get(f"packs/{number}/{done // 2}") == b"%d" % (done // 2) * 50_000
                done += 1
            return done

        with ThreadPoolExecutor(3) as workers:
            counts = [workers.submit(work, number) for number in range(3)]
            while len(list(store.list())) < 10 and not any(count.done() for count in counts):
                pass
            server.remove_drive(4)
            broken.set()
        written = sum(count.result() for count in counts)
        assert len(list(store.list())) == written


def pattern(size: int) -> bytes:
    """Bytes of which no stretch looks like another, the same at each call."""
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [SMALLEST_PART, SMALLEST_PART + 1, 2 * SMALLEST_PART + 17])
def test_large_objects_travel_in_parts(server: StoreServer, size: int) -> None:
    store = fresh(server, part=SMALLEST_PART)
    data = pattern(size)
    store.put("log", data)
    assert store.size("log") == size
    assert store.get("log") == data
    assert store.get("log", 7) == data[7:]
    assert store.get("log", size - 3, 100) == data[-3:]
    assert store.get("log", 11, size - 12) == data[11:-1]
    assert store.get("log", size) == b""


def test_a_real_archive_is_written_and_read_at_the_shipped_size(minio_server: StoreServer) -> None:
    store = fresh(minio_server)
    data = pattern(2 * PART + 5)
    store.put("log", data)
    assert store.get("log") == data
    listed = minio_server.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    # The mark of an object that was written in parts ends with their number.
    assert [item["ETag"][-3:] for item in listed if item["Size"] == len(data)] == ['-3"']


def test_create_takes_large_objects_too(server: StoreServer) -> None:
    store = fresh(server, part=SMALLEST_PART)
    data = pattern(SMALLEST_PART * 2)
    assert store.create("log", data)
    assert not store.create("log", data)
    assert store.get("log") == data


def test_listings_and_deletions_of_more_than_a_page(versitygw_server: StoreServer) -> None:
    store = fresh(versitygw_server)
    keys = [f"packs/{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda key: store.put(key, b""), keys))
    assert [info.key for info in store.list("packs/")] == keys
    store.delete(keys[1:])
    assert [info.key for info in store.list()] == keys[:1]
    store.delete([])


def test_more_threads_than_connections_wait_for_none(minio_server: StoreServer) -> None:
    store = fresh(minio_server)
    store.put("key", b"bytes")
    barrier = threading.Barrier(100)

    def read(_: int) -> bytes:
        barrier.wait(60)
        return store.get("key")

    with ThreadPoolExecutor(100) as workers:
        assert set(workers.map(read, range(100))) == {b"bytes"}


def test_stores_of_one_bucket_do_not_see_each_other(server: StoreServer) -> None:
    one = open_s3(f"s3://{BUCKET}/neighbours/1", server.settings())
    ten = open_s3(f"s3://{BUCKET}/neighbours/10/", server.settings())
    one.put("key", b"one")
    ten.put("key", b"ten")
    assert [info.key for info in one.list()] == ["key"]
    ten.delete(["key"])
    assert one.get("key") == b"one"


def test_a_store_may_have_the_whole_bucket(server: StoreServer) -> None:
    bucket = server.make_bucket("whole")
    store = open_s3(f"s3://{bucket}", server.settings())
    store.put("packs/ab/abc", b"bytes")
    found = server.client().get_object(Bucket=bucket, Key="packs/ab/abc")
    with found["Body"] as stream:
        assert stream.read() == b"bytes"


def test_what_is_no_key_is_not_listed(server: StoreServer) -> None:
    bucket = server.make_bucket("foreign")
    client = server.client()
    client.put_object(Bucket=bucket, Key="ci/folder/", Body=b"")
    client.put_object(Bucket=bucket, Key="ci/a b", Body=b"")
    store = open_s3(f"s3://{bucket}/ci", server.settings())
    store.put("key", b"")
    assert [info.key for info in store.list()] == ["key"]


def test_places_are_told_as_they_are_written() -> None:
    assert Place.of("s3://ci", "x") == Place("ci", "", "x")
    assert Place.of("s3://ci/a/b/", "x") == Place("ci", "a/b/", "x")
    assert str(Place.of("s3://ci/a", "http://s3:9000")) == (
        "the object store s3://ci/a/ at http://s3:9000"
    )


# What no real server does when it is asked to.


def scripted(bucket: ScriptedBucket, part: int = 4) -> S3Store:
    patience = Patience(seconds=10.0, clock=lambda: 0.0, sleep=lambda _: None)
    return S3Store(bucket, no_presigner(), patience=patience, part=part)


def test_a_creation_whose_answer_was_lost_is_known_again() -> None:
    bucket = ScriptedBucket()

    def lose(arguments: dict[str, Any]) -> None:
        bucket.metadata = arguments["Metadata"]
        raise StoreBusy("lost")

    bucket.on("put_object", lose, StorePrecondition("there"))
    bucket.on("get_object", lambda _: {"Body": body(b"data"), "Metadata": bucket.metadata})
    assert scripted(bucket).create("key", b"data")


@pytest.mark.parametrize("found", [{"writer": "another"}, {}])
def test_a_creation_that_somebody_else_made_is_not_ours(found: dict[str, str]) -> None:
    bucket = ScriptedBucket()
    bucket.on("put_object", StoreBusy("lost"), StorePrecondition("there"))
    bucket.on("get_object", lambda _: {"Body": body(b"data"), "Metadata": found})
    assert not scripted(bucket).create("key", b"data")


def test_a_creation_that_lost_to_an_object_that_is_gone_again() -> None:
    bucket = ScriptedBucket()
    bucket.on("put_object", StorePrecondition("there"))
    bucket.on("get_object", ObjectMissing("key"))
    assert not scripted(bucket).create("key", b"data")


def version(mark: str, data: bytes, start: int, whole: int) -> dict[str, Any]:
    span = f"bytes {start}-{start + len(data) - 1}/{whole}"
    return {"Body": body(data), "ETag": mark, "ContentRange": span}


def test_an_object_replaced_between_two_parts_is_read_anew() -> None:
    bucket = ScriptedBucket()
    bucket.on(
        "get_object",
        lambda _: version("old", b"aaaa", 0, 6),
        StorePrecondition("replaced"),
        lambda _: version("new", b"bbbb", 0, 6),
        lambda _: version("new", b"bb", 4, 6),
    )
    assert scripted(bucket).get("key") == b"bbbbbb"
    assert [asked.get("IfMatch") for asked in bucket.asked["get_object"]] == [
        None,
        "old",
        None,
        "new",
    ]


def test_an_object_that_never_rests_is_an_error() -> None:
    bucket = ScriptedBucket()
    for _ in range(20):
        bucket.on(
            "get_object", lambda _: version("old", b"aaaa", 0, 6), StorePrecondition("replaced")
        )
    with pytest.raises(StorePrecondition, match="again and again"):
        scripted(bucket).get("key")


def test_a_server_without_ranges_is_understood() -> None:
    bucket = ScriptedBucket()
    for _ in range(3):
        bucket.on("get_object", lambda _: {"Body": body(b"0123456789")})
    store = scripted(bucket, part=100)
    assert store.get("key") == b"0123456789"
    assert store.get("key", 2, 3) == b"234"
    assert store.size("key") == 10


def test_parts_are_given_up_when_one_cannot_be_written() -> None:
    bucket = ScriptedBucket()
    bucket.on("create_multipart_upload", lambda _: {"UploadId": "u1"})
    bucket.on("upload_part", lambda _: {"ETag": "1"}, StoreDenied("no"), lambda _: {"ETag": "3"})
    bucket.on("abort_multipart_upload", StoreBusy("nor this"))
    with pytest.raises(StoreDenied):
        scripted(bucket).put("key", b"123456789")
    assert [asked["UploadId"] for asked in bucket.asked["abort_multipart_upload"]] == ["u1"]


def test_parts_begin_anew_when_their_upload_is_gone() -> None:
    bucket = ScriptedBucket()
    bucket.on("create_multipart_upload", lambda _: {"UploadId": "u1"}, lambda _: {"UploadId": "u2"})
    for _ in range(4):
        bucket.on("upload_part", lambda _: {"ETag": "mark"})
    bucket.on("complete_multipart_upload", StoreBusy("gone"), lambda _: {})
    bucket.on("abort_multipart_upload", lambda _: {})
    scripted(bucket).put("key", b"12345678")
    ended = bucket.asked["complete_multipart_upload"]
    assert [asked["UploadId"] for asked in ended] == ["u1", "u2"]
    assert [part["PartNumber"] for part in ended[1]["MultipartUpload"]["Parts"]] == [1, 2]


def test_single_deletions_that_fail_are_told() -> None:
    bucket = ScriptedBucket()
    errors = [
        {"Key": "p/a", "Code": "NoSuchKey"},
        {"Key": "p/b", "Code": "AccessDenied", "Message": "no"},
        {"Key": "p/c", "Code": "InternalError"},
    ]
    bucket.on("delete_objects", lambda _: {"Errors": errors})
    with pytest.raises(StoreDenied, match=r"remove b and 1 more .*takes s3:DeleteObject"):
        scripted(bucket).delete(["a", "b", "c", "d"])


def test_errors_are_object_store_errors() -> None:
    bucket = ScriptedBucket()
    bucket.on("put_object", StoreDenied("cannot write key"))
    with pytest.raises(ObjectStoreError, match="cannot write key: the key may not do this"):
        scripted(bucket).put("key", b"")


def test_the_body_of_a_lost_creation_is_not_left_open() -> None:
    bucket = ScriptedBucket()
    stream = body(b"data")
    bucket.on("put_object", StorePrecondition("there"))
    bucket.on("get_object", lambda _: {"Body": stream, "Metadata": {}})
    scripted(bucket).create("key", b"data")
    assert stream.closed


def test_a_real_server_keeps_who_wrote_an_object(server: StoreServer) -> None:
    store = fresh(server)
    store.create("created", b"")
    listed = server.client().list_objects_v2(Bucket=BUCKET, Prefix="tests/")["Contents"]
    newest = [item["Key"] for item in listed if item["Key"].endswith("/created")]
    found = [server.client().head_object(Bucket=BUCKET, Key=key)["Metadata"] for key in newest]
    assert all(len(metadata["writer"]) == 32 for metadata in found)
    assert len(found) == 1
