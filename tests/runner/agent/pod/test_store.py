from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runner.agent.pod.carrier import Carrier
from runner.agent.pod.connections import Connections
from runner.agent.pod.patience import Patience
from runner.agent.pod.store import PresignedStore
from runner.objects.base import ObjectMissing, ObjectStoreError, Upload
from tests.support import presigned
from tests.support.presigned import presigned_store

HOME = "attempts/r/s-1"


class Bench:
    """A store in a Pod, and the server behind it; nothing waits longer than it must."""

    def __init__(self, server: presigned.PresignedStore, limit: float = 60.0) -> None:
        self.server = server
        self.said: list[str] = []
        self.now = 0.0
        self.limit = limit
        self.connections = Connections(patience=0.5)
        self.use(self.connections)

    def use(self, connections: Connections, upload: Upload | None = None) -> None:
        patience = Patience(
            lambda: self.limit, self.said.append, clock=lambda: self.now, sleep=self.sleep
        )
        self.carrier = Carrier(connections, patience)
        addresses = {key: self.server.address(key) for key in ("a", "b/c", "none")}
        self.store = PresignedStore(
            addresses, upload or self.server.upload(HOME), HOME, self.carrier
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(name="bench")
def bench_fixture() -> Iterator[Bench]:
    with presigned_store() as server:
        server.objects.put("a", b"0123456789")
        server.objects.put("b/c", b"")
        bench = Bench(server)
        yield bench
        bench.connections.close()


@pytest.mark.parametrize(
    ("start", "length", "data"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (0, 4, b"0123"),
        (3, 4, b"3456"),
        (8, 10, b"89"),
        (10, None, b""),
        (20, 5, b""),
        (3, 0, b""),
    ],
)
@pytest.mark.parametrize("ranges", [True, False], ids=["by range", "whole"])
def test_objects_are_read_whole_or_in_part(
    bench: Bench, start: int, length: int | None, data: bytes, ranges: bool
) -> None:
    bench.server.ranges = ranges
    assert bench.store.get("a", start, length) == data


def test_an_empty_object_is_read(bench: Bench) -> None:
    assert bench.store.get("b/c") == b""
    assert bench.store.get("b/c", 0, 5) == b""


def test_only_what_is_asked_for_is_fetched(bench: Bench) -> None:
    bench.store.get("a", 3, 4)
    assert bench.server.asked[0].range == "bytes=3-6"


def test_an_object_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(ObjectMissing, match="none"):
        bench.store.get("none")


def test_a_key_without_an_address_is_refused(bench: Bench) -> None:
    with pytest.raises(ObjectStoreError, match="a Pod may not read x/y, for which it got no addr"):
        bench.store.get("x/y")


@pytest.mark.parametrize("size", [0, 1, 10_000_000])
def test_objects_are_written_below_the_own_prefix(bench: Bench, size: int) -> None:
    data = b"x" * size
    bench.store.put(f"{HOME}/packs/1", data)
    bench.store.put(f"{HOME}/log", memoryview(b"log"))
    assert bench.server.objects.get(f"{HOME}/packs/1") == data
    assert bench.server.keys() == [f"{HOME}/packs/1", f"{HOME}/log"]


@pytest.mark.parametrize("key", ["a", f"{HOME}1/x", "attempts/r/s-2/log"])
def test_nothing_is_written_elsewhere(bench: Bench, key: str) -> None:
    with pytest.raises(ObjectStoreError, match="is not below attempts/r/s-1/"):
        bench.store.put(key, b"")
    assert bench.server.asked == []


def test_nobody_gave_it_other_rights(bench: Bench) -> None:
    with pytest.raises(ObjectStoreError, match="may not write a only where nothing is"):
        bench.store.create("a", b"")
    with pytest.raises(ObjectStoreError, match="may not ask for the size of a"):
        bench.store.size("a")
    with pytest.raises(ObjectStoreError, match="may not list what lies below /"):
        bench.store.list()
    with pytest.raises(ObjectStoreError, match="may not remove a, b"):
        bench.store.delete(["a", "b"])


def test_connections_are_kept_and_shared(bench: Bench) -> None:
    for _ in range(3):
        bench.store.get("a")
        thread = threading.Thread(target=bench.store.put, args=(f"{HOME}/x", b"1"))
        thread.start()
        thread.join()
    assert len({asked.client for asked in bench.server.asked}) == 1
    assert len(bench.server.asked) == 6


def test_a_connection_that_was_closed_meanwhile_is_no_trouble(bench: Bench) -> None:
    bench.store.get("a")
    bench.server.server.hang_up()
    bench.limit = 0.0
    assert bench.store.get("a") == b"0123456789"


@pytest.mark.parametrize("fault", [500, 502, 503, 429, "close", "cut", "odd"])
def test_what_passes_is_tried_again(bench: Bench, fault: int | str) -> None:
    bench.server.faults += [fault, fault]
    assert bench.store.get("a") == b"0123456789"
    bench.server.faults += [fault, fault]
    bench.store.put(f"{HOME}/x", b"1" * 100_000)
    assert bench.server.objects.get(f"{HOME}/x") == b"1" * 100_000


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(bench: Bench) -> None:
    bench.server.faults.append("mute")
    assert bench.store.get("a") == b"0123456789"
    assert bench.now > 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (503, "503 SlowDown"),
        ("close", "the connection was closed"),
        ("cut", "the answer was cut off"),
        ("odd", "the answer is not HTTP"),
        ("mute", "no answer within 0.5s"),
    ],
)
def test_patience_has_an_end_that_says_why(bench: Bench, fault: int | str, why: str) -> None:
    bench.limit = 0.0
    bench.server.faults.append(fault)
    with pytest.raises(ObjectStoreError) as caught:
        bench.store.get("a")
    assert str(caught.value) == f"cannot read a: the object store is away ({why}, for 0s)"


def test_a_server_that_is_not_there(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    bench.limit = 0.0
    with pytest.raises(ObjectStoreError, match=r"cannot read it: .* \(connection refused, for 0s"):
        bench.carrier.get(f"http://127.0.0.1:{port}/x", "it")


def test_an_address_that_is_too_old_is_said_at_once(bench: Bench) -> None:
    address = bench.server.address("a").partition("?")[0]
    with pytest.raises(ObjectStoreError) as caught:
        bench.carrier.get(f"{address}?X-Amz-Signature=old", "a")
    assert str(caught.value) == (
        "cannot read a in the object store: it refuses; the address is too old, or the clock of"
        " the server or the store is wrong (403 AccessDenied)"
    )
    assert bench.now == 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (403, "it refuses; the address is too old"),
        (507, "it is full; make room in it"),
        (301, r"it refuses \(301 SomeTrouble\)"),
        (418, r"it refuses \(418 SomeTrouble\)"),
    ],
)
def test_what_does_not_pass_is_said_at_once(bench: Bench, fault: int, why: str) -> None:
    bench.server.faults.append(fault)
    with pytest.raises(ObjectStoreError, match=f"cannot write {HOME}/x in the object store: {why}"):
        bench.store.put(f"{HOME}/x", b"")


def test_an_object_that_is_too_large_is_said_at_once(bench: Bench) -> None:
    bench.use(bench.connections, bench.server.upload(HOME, largest=10))
    with pytest.raises(ObjectStoreError, match="larger than this attempt may write"):
        bench.store.put(f"{HOME}/x", b"x" * 11)


def test_a_refusal_before_all_was_sent_is_heard(bench: Bench) -> None:
    bench.server.faults.append("early")
    with pytest.raises(ObjectStoreError, match="larger than this attempt may write"):
        bench.store.put(f"{HOME}/x", b"x" * 50_000_000)
    assert bench.store.get("a") == b"0123456789"


def test_another_prefix_is_refused_by_the_server_too(bench: Bench) -> None:
    upload = bench.server.upload("attempts/r/s-2")
    other = Upload(url=upload.url, fields=upload.fields, prefix=f"{presigned.PLACE}{HOME}/")
    bench.use(bench.connections, other)
    with pytest.raises(ObjectStoreError, match="403 AccessDenied"):
        bench.store.put(f"{HOME}/x", b"")


@pytest.mark.parametrize("address", ["ftp://h/x", "x", "http://h:port/x", "http://127.0.0.1/a\n b"])
def test_an_address_that_makes_no_sense_is_not_shown(bench: Bench, address: str) -> None:
    bench.limit = 0.0
    with pytest.raises(ObjectStoreError) as caught:
        bench.carrier.get(f"{address}?X-Amz-Signature=s3cret", "it")
    assert str(caught.value).startswith("cannot read it")
    assert "s3cret" not in str(caught.value)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that vouches for itself; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, private


def test_over_tls_only_those_are_believed_who_are_vouched_for(tmp_path: Path) -> None:
    pem, private = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    with presigned_store(context) as server:
        server.objects.put("a", b"0123456789")
        bench = Bench(server)
        with pytest.raises(ObjectStoreError, match="its certificate is not trusted"):
            bench.store.get("a")
        bench.use(Connections("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
        with pytest.raises(ObjectStoreError, match="HOOKLINE_CA"):
            bench.store.get("a")
        trusting = Connections(pem.read_text())
        bench.use(trusting)
        bench.store.put(f"{HOME}/x", b"1")
        assert bench.store.get("a", 2, 3) == b"234"
        trusting.close()
