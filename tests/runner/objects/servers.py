"""What may stand where an S3 server should, and does what no real one does when it is asked to."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.loopback import LoopbackServer, QuietHandler, serving

Behaviour: TypeAlias = Callable[[QuietHandler], None]


@contextmanager
def behaving(act: Behaviour) -> Iterator[str]:
    """Serve `act` for every request; give the address."""

    class Handler(QuietHandler):
        def _do(self) -> None:
            act(self)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do

    server = LoopbackServer(Handler)
    with serving(server):
        yield server.url


@contextmanager
def hanging_up() -> Iterator[str]:
    """Take every connection and close it, after the client has said something in TLS."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def answering(status: int, body: bytes = b"<html>hello</html>") -> Behaviour:
    """Always answer the same."""

    def act(handler: QuietHandler) -> None:
        handler.body()
        shown = b"" if handler.command == "HEAD" else body
        handler.answer(status, {"Content-Type": "text/html"}, shown)

    return act


def breaking_off(handler: QuietHandler) -> None:
    """Promise a thousand bytes, send ten, and hang up."""
    handler.body()
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"0123456789")
    handler.wfile.flush()
    handler.close_connection = True


def asking_for_md5(handler: QuietHandler) -> None:
    """Delete only what comes with the older checksum, as S3 did before 2025."""
    digest = base64.b64encode(hashlib.md5(handler.body()).digest()).decode()
    if handler.headers.get("Content-MD5") == digest:
        handler.answer(200, {}, b"<DeleteResult></DeleteResult>")
    else:
        handler.answer(400, {}, b"<Error><Code>MissingContentMD5</Code></Error>")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a key and a certificate for 127.0.0.1 that it signed itself; return where."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "certificate.pem"
    files[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files
