"""An object store that is spoken to by presigned addresses only, and that can be made to fail."""

from __future__ import annotations

import re
import secrets
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qs, urlsplit

from runner.objects.base import ObjectMissing, Upload
from runner.objects.memory import MemoryStore
from tests.support.loopback import LoopbackServer, QuietHandler, serving

BUCKET = "bucket"
PLACE = "team/hookline/"
"""Where in the bucket the store has its objects."""


@dataclass(frozen=True)
class Asked:
    """A request as it came: for which key of the store, from which connection, what was answered."""

    method: str
    key: str
    range: str
    client: int
    status: int


class PresignedStore:
    """Objects in `objects`, behind addresses that nobody could guess.

    `faults` are used up, one a request: a status to answer with, `close` for none at all, `cut` for
    half of an answer, `early` for a refusal before the body was read, `mute` to answer when
    `release` is called, `odd` for what is not HTTP. While it is `away` every connection is closed at
    once, if it says `refusing` it answers 503.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.objects = MemoryStore()
        self.asked: list[Asked] = []
        self.faults: deque[int | str] = deque()
        self.away = threading.Event()
        self.refusing = threading.Event()
        self.ranges = True
        self._released = threading.Event()
        self._signature = secrets.token_hex(16)
        self._policies: dict[str, tuple[str, int]] = {}
        self.server = _Server(self, context)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What lets its holder in, and must never be shown."""
        return (self._signature, *self._policies)

    def release(self) -> None:
        """Let those go on who wait for an answer."""
        self._released.set()

    def address(self, key: str) -> str:
        """Return an address to GET an object from."""
        return f"{self.server.base}/{BUCKET}/{PLACE}{key}?X-Amz-Signature={self._signature}"

    def upload(self, home: str, largest: int = 1 << 30) -> Upload:
        """Return a permission to write below `home/`."""
        policy, prefix = secrets.token_hex(16), f"{PLACE}{home}/"
        self._policies[policy] = (prefix, largest)
        fields = {"policy": policy, "x-amz-algorithm": "AWS4-HMAC-SHA256"}
        return Upload(url=f"{self.server.base}/{BUCKET}", fields=fields, prefix=prefix)

    def keys(self, method: str = "POST") -> list[str]:
        """Return the keys that were asked for with a method, and given."""
        return [one.key for one in self.asked if one.method == method and one.status < 300]

    def may_read(self, query: str) -> bool:
        return parse_qs(query).get("X-Amz-Signature") == [self._signature]

    def policy(self, name: str) -> tuple[str, int] | None:
        return self._policies.get(name)

    def wait(self) -> None:
        assert self._released.wait(60)


class _Server(LoopbackServer):
    """The server of a store, over TLS if it has a context."""

    def __init__(self, store: PresignedStore, context: ssl.SSLContext | None) -> None:
        self.store = store
        super().__init__(_Handler)
        self.base = self.url
        if context is not None:
            self.base = self.url.replace("http:", "https:")
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def verify_request(self, request: object, client_address: object) -> bool:
        return not self.store.away.is_set()


class _Handler(QuietHandler):
    """Answers as S3 does."""

    @property
    def store(self) -> PresignedStore:
        assert isinstance(self.server, _Server)
        return self.server.store

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        key = parts.path.removeprefix(f"/{BUCKET}/").removeprefix(PLACE)
        if self._fails(key):
            return
        if not self.store.may_read(parts.query):
            self._refuse(key, 403, "AccessDenied")
            return
        try:
            data = self.store.objects.get(key)
        except ObjectMissing:
            self._refuse(key, 404, "NoSuchKey")
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None or not self.store.ranges:
            self._give(key, 200, data)
            return
        start, last = int(asked[1]), int(asked[2] or len(data))
        if start >= len(data):
            self._refuse(key, 416, "InvalidRange")
            return
        self._give(key, 206, data[start : last + 1])

    def do_POST(self) -> None:
        if self._fails(""):
            return
        fields, file = self._form()
        key, granted = fields.pop("key", ""), self.store.policy(fields.pop("policy", ""))
        name = key.removeprefix(PLACE)
        if urlsplit(self.path).path != f"/{BUCKET}" or granted is None:
            self._refuse(name, 403, "AccessDenied")
            return
        prefix, largest = granted
        if not key.startswith(prefix) or set(fields) != {"x-amz-algorithm"}:
            self._refuse(name, 403, "AccessDenied")
            return
        if len(file) > largest:
            self._refuse(name, 400, "EntityTooLarge")
            return
        self.store.objects.put(name, file)
        self._give(name, 204, b"")

    def _form(self) -> tuple[dict[str, str], bytes]:
        """Return the fields before the file, and the file, which must be the last one."""
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields: dict[str, str] = {}
        _, *parts, end = body.split(b"--" + boundary)
        assert end == b"--\r\n"
        for number, part in enumerate(parts):
            head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            value = value.removesuffix(b"\r\n")
            said = BytesParser(policy=HTTP).parsebytes(head)["Content-Disposition"]
            if said.params["name"] == "file":
                assert number == len(parts) - 1
                return fields, value
            fields[said.params["name"]] = value.decode()
        raise AssertionError(fields)

    def _fails(self, key: str) -> bool:
        """Carry out the next fault, if there is one."""
        fault = self.store.faults.popleft() if self.store.faults else None
        if self.store.refusing.is_set():
            fault = 503
        match fault:
            case None:
                return False
            case int():
                self._drain()
                self._refuse(key, fault, "SlowDown" if fault == 503 else "SomeTrouble")
            case "close":
                self.close_connection = True
            case "odd":
                self._drain()
                self.wfile.write(b"220 mail.example ESMTP\r\n")
                self.close_connection = True
            case "early":
                self._refuse(key, 400, "EntityTooLarge")
                self.close_connection = True
            case "cut":
                self._drain()
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x" * 500)
                self.close_connection = True
            case "mute":
                self.store.wait()
                return False
            case _:
                raise AssertionError(fault)
        return True

    def _drain(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _give(self, key: str, status: int, data: bytes) -> None:
        self._note(key, status)
        self.answer(status, {}, data)

    def _refuse(self, key: str, status: int, code: str) -> None:
        self._note(key, status)
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
        self.answer(status, {"Content-Type": "application/xml"}, body.encode())

    def _note(self, key: str, status: int) -> None:
        found = self.headers.get("Range", "")
        asked = Asked(self.command, key, found, self.client_address[1], status)
        self.store.asked.append(asked)


@contextmanager
def presigned_store(context: ssl.SSLContext | None = None) -> Iterator[PresignedStore]:
    """Yield a store whose server runs until the block ends."""
    store = PresignedStore(context)
    with serving(store.server):
        try:
            yield store
        finally:
            store.release()
