"""What holders of an address can do, and what not, with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.objects.base import ObjectStoreError, Upload
from runner.objects.s3 import open_s3
from runner.objects.s3_presigning import LONGEST
from tests.runner.objects.conftest import BUCKET, fresh
from tests.testbed.stores import StoreServer


def request(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Do one request as whoever has no library does; return status and body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(upload: Upload, key: str, data: bytes) -> int:
    """Send a form as RFC 7578 says; return the status."""
    boundary = secrets.token_hex(16)
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"key": key, **upload.fields}.items()
    ]
    lines.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join(lines).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    form = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return request("POST", upload.url, body, form)[0]


def test_an_address_gives_an_object_whole_or_in_part(server: StoreServer) -> None:
    store = fresh(server)
    store.put("packs/ab/abc", b"0123456789")
    url = store.presigned_get("packs/ab/abc", 60)
    assert request("GET", url) == (200, b"0123456789")
    assert request("GET", url, headers={"Range": "bytes=2-4"}) == (206, b"234")


def test_an_address_is_for_one_object_and_one_method(server: StoreServer) -> None:
    store = fresh(server)
    store.put("mine", b"mine")
    store.put("other", b"other")
    url = store.presigned_get("mine", 60)
    assert request("GET", url.replace("mine", "other"))[0] == 403
    assert request("PUT", url, b"changed")[0] == 403
    assert request("DELETE", url)[0] == 403
    assert store.get("mine") == b"mine"


def test_an_address_of_nothing_says_so(server: StoreServer) -> None:
    assert request("GET", fresh(server).presigned_get("absent", 60))[0] == 404


def test_an_address_takes_an_object(server: StoreServer) -> None:
    store = fresh(server)
    assert request("PUT", store.presigned_put("result", 60), b"done")[0] == 200
    assert store.get("result") == b"done"


def test_a_permission_to_upload_holds_below_its_prefix(server: StoreServer) -> None:
    store = fresh(server)
    upload = store.presigned_upload("attempts/r1/a-1", 10, 60)
    assert post(upload, upload.prefix + "packs/abc", b"0123456789") == 204
    assert post(upload, upload.prefix + "log", b"") == 204
    assert store.get("attempts/r1/a-1/packs/abc") == b"0123456789"
    elsewhere = upload.prefix.replace("a-1/", "a-10/")
    for key in (elsewhere + "log", upload.prefix[:-1], "log", "snapshots/ab/abc"):
        assert post(upload, key, b"x") == 403
    assert [info.key for info in store.list("attempts/")] == [
        "attempts/r1/a-1/log",
        "attempts/r1/a-1/packs/abc",
    ]


def test_a_permission_to_upload_has_a_largest_size(server: StoreServer) -> None:
    store = fresh(server)
    upload = store.presigned_upload("attempts/r1/a-1/", 10, 60)
    assert post(upload, upload.prefix + "log", b"0123456789x") == 400
    assert store.size("attempts/r1/a-1/log") is None


def test_a_permission_cannot_be_changed(server: StoreServer) -> None:
    store = fresh(server)
    upload = store.presigned_upload("attempts/r1/a-1", 10, 60)
    policy = json.loads(base64.b64decode(upload.fields["policy"]))
    policy["conditions"] = [["starts-with", "$key", ""]]
    forged = base64.b64encode(json.dumps(policy).encode()).decode()
    other = Upload(upload.url, {**upload.fields, "policy": forged}, "")
    assert post(other, "log", b"x") == 403


def test_a_server_of_keys_takes_no_way_back(minio_server: StoreServer) -> None:
    store = fresh(minio_server)
    upload = store.presigned_upload("attempts/r1/a-1", 10, 60)
    assert post(upload, upload.prefix + "../../../log", b"x") == 400
    assert list(store.list()) == []


def test_addresses_expire(minio_server: StoreServer, versitygw_server: StoreServer) -> None:
    stores = [fresh(minio_server), fresh(versitygw_server)]
    for store in stores:
        store.put("key", b"")
    gets = [store.presigned_get("key", 0.2) for store in stores]
    uploads = [store.presigned_upload("a", 10, 0.2) for store in stores]
    time.sleep(2.1)
    assert [request("GET", url)[0] for url in gets] == [403, 403]
    assert [post(upload, f"{upload.prefix}x", b"") for upload in uploads] == [403, 403]


def test_pods_may_have_an_address_of_their_own(minio_server: StoreServer) -> None:
    pods = minio_server.endpoint.replace("127.0.0.1", "localhost")
    settings = minio_server.settings(pod_endpoint=pods)
    store = open_s3(f"s3://{BUCKET}/pods", settings)
    store.put("key", b"bytes")
    url, upload = store.presigned_get("key", 60), store.presigned_upload("a", 10, 60)
    assert url.startswith(f"{pods}/{BUCKET}/pods/key?")
    assert upload.url == f"{pods}/{BUCKET}"
    assert upload.prefix == "pods/a/"
    assert request("GET", url) == (200, b"bytes")
    assert post(upload, "pods/a/x", b"x") == 204
    assert store.get("a/x") == b"x"


def test_no_address_holds_longer_than_a_signature(minio_server: StoreServer) -> None:
    store = fresh(minio_server)
    query = parse_qs(urlsplit(store.presigned_get("key", 1e9)).query)
    assert query["X-Amz-Expires"] == [str(LONGEST)]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    policy = json.loads(base64.b64decode(store.presigned_upload("a", 1, 1e9).fields["policy"]))
    left = datetime.fromisoformat(policy["expiration"]).timestamp() - time.time()
    assert left <= LONGEST
    # Not a second longer than wanted, and never none.
    short = parse_qs(urlsplit(store.presigned_put("key", -5)).query)
    assert short["X-Amz-Expires"] == ["1"]


def test_an_address_holds_no_secret(minio_server: StoreServer) -> None:
    store = fresh(minio_server)
    upload = store.presigned_upload("a", 1, 60)
    assert minio_server.secret_key not in store.presigned_get("key", 60)
    assert minio_server.secret_key not in json.dumps(dict(upload.fields))
    assert "key" not in upload.fields
    assert upload.fields["policy"] not in repr(upload)


@pytest.mark.parametrize("prefix", ["", "/", "../a", "a//"])
def test_only_keys_are_signed(minio_server: StoreServer, prefix: str) -> None:
    store = fresh(minio_server)
    for act in (
        lambda: store.presigned_get(prefix, 60),
        lambda: store.presigned_put(prefix, 60),
        lambda: store.presigned_upload(prefix, 1, 60),
    ):
        with pytest.raises(ObjectStoreError, match="is no object key"):
            act()
