"""Carries bytes from and to presigned addresses, and tells what passes from what does not."""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.agent.pod.connections import Connections, Distrusted, Reply, Unreachable
from runner.agent.pod.multipart import Form
from runner.agent.pod.patience import Exhausted, Passing, Patience
from runner.objects.base import ObjectMissing, ObjectStoreError

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_GOOD = frozenset({200, 201, 204, 206})
# What S3 calls it when a slow body was given up: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable"})
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_CURES = {
    403: "it refuses; the address is too old, or the clock of the server or the store is wrong",
    413: "the object is larger than this attempt may write",
    507: "it is full; make room in it",
}
_CURES_OF_CODES = {
    "EntityTooLarge": _CURES[413],
    "XMinioStorageFull": _CURES[507],
    "NoSuchBucket": "there is no such bucket",
}


class Carrier:
    """Gets and posts, with the patience it was given; safe from any thread."""

    def __init__(self, connections: Connections, patience: Patience) -> None:
        self._connections = connections
        self._patience = patience

    def get(self, url: str, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the object at an address, or a part of it; past its end there is nothing.

        `name` is what the object is called in errors. Raise `ObjectMissing`, `ObjectStoreError`.
        """
        if length == 0:
            return b""
        headers = {}
        if start or length is not None:
            last = "" if length is None else start + length - 1
            headers["Range"] = f"bytes={start}-{last}"
        reply = self._carry(
            f"cannot read {name}", lambda: self._connections.exchange("GET", url, headers)
        )
        if reply.status == 404:
            raise ObjectMissing(name)
        if reply.status == 416:
            return b""
        self._check(reply, f"cannot read {name}")
        if headers and reply.status != 206:
            return reply.body[start : None if length is None else start + length]
        return reply.body

    def post(self, url: str, name: str, form: Form) -> None:
        """Send a form that holds an object; raise `ObjectStoreError`."""
        headers = {"Content-Type": form.content_type, "Content-Length": str(form.length)}
        reply = self._carry(
            f"cannot write {name}",
            lambda: self._connections.exchange("POST", url, headers, form.parts),
        )
        self._check(reply, f"cannot write {name}")

    def _carry(self, what: str, exchange: Callable[[], Reply]) -> Reply:
        """Return the answer, once there is one that means something."""

        def once() -> Reply:
            try:
                reply = exchange()
            except Unreachable as error:
                raise Passing(str(error)) from error
            if reply.status in _PASSING or _code(reply) in _PASSING_CODES:
                raise Passing(_answer(reply))
            return reply

        try:
            return self._patience.through(once)
        except Exhausted as error:
            message = f"{what}: the object store is away ({error})"
            raise ObjectStoreError(message) from error
        except Distrusted as error:
            message = f"{what} in the object store: {error}"
            raise ObjectStoreError(message) from error

    def _check(self, reply: Reply, what: str) -> None:
        if reply.status not in _GOOD:
            cure = _CURES_OF_CODES.get(_code(reply)) or _CURES.get(reply.status, "it refuses")
            message = f"{what} in the object store: {cure} ({_answer(reply)})"
            raise ObjectStoreError(message)


def _code(reply: Reply) -> str:
    """Return what S3 calls the error, empty if the answer is none."""
    if reply.status < 300:
        return ""
    found = _CODE.search(reply.body[:4096])
    return found[1].decode() if found else ""


def _answer(reply: Reply) -> str:
    return f"{reply.status} {_code(reply)}".rstrip()
