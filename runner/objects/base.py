"""The object store as the rest of Hookline sees it: keys, bytes, nothing more.

Keys are relative paths of `[A-Za-z0-9._-]` segments joined by `/`; never `.` or `..`.
Writes are atomic: a reader sees a whole object or none. The contract suite in
`tests/runner/objects/contract.py` runs against every implementation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

_KEY = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9._-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)*")


class ObjectStoreError(Exception):
    """The object store could not do what was asked; the message says what to look at."""

    code = "object-store"


class ObjectMissing(ObjectStoreError):
    """There is no object under this key."""

    code = "object-missing"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"no object at {key}")


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it; `modified` is in seconds since the epoch."""

    key: str
    size: int
    modified: float


class ObjectStore(Protocol):
    """Keys and bytes. Every method may raise `ObjectStoreError`; all are safe from any thread."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only where there is none; return whether it was written."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes, or `length` of them from `start`; raise `ObjectMissing`."""

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, in the order of their keys."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there count as removed."""


@dataclass(frozen=True)
class Upload:
    """A permission to write objects below one prefix, by HTML form (a POST policy).

    Whoever holds it posts `multipart/form-data` to `url`: a field `key` that is `prefix` and the
    rest of the object's name, then `fields` as they are, and the bytes last, as `file`. `prefix` is
    the bucket's: Hookline's key below the place that the store has in the bucket.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    prefix: str


class Presigner(Protocol):
    """Addresses under which others reach single objects, without a credential, for a while.

    Times are seconds from now; what is longer than the store allows is cut to that (S3: 7 days).
    """

    def presigned_get(self, key: str, seconds: float) -> str:
        """Return an address to GET an object from, whole or by `Range`."""

    def presigned_put(self, key: str, seconds: float) -> str:
        """Return an address to PUT an object to."""

    def presigned_upload(self, prefix: str, largest: int, seconds: float) -> Upload:
        """Return a permission to write objects of at most `largest` bytes below `prefix/`."""


class SharedStore(ObjectStore, Presigner, Protocol):
    """A store that others than this process can reach."""


def is_key(text: str) -> bool:
    """Say whether a text fits the grammar of keys."""
    return len(text) <= 1024 and _KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """Return a key that fits the grammar; raise `ObjectStoreError` for any other."""
    if not is_key(key):
        message = f"{key!r} is no object key: segments of letters, digits, '.', '_', '-' and '/'"
        raise ObjectStoreError(message)
    return key
