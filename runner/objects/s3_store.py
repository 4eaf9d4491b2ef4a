"""An object store in a bucket: whole objects in and out, large ones in parts side by side."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from runner.objects import s3_check
from runner.objects.base import (
    ObjectInfo,
    ObjectMissing,
    ObjectStoreError,
    Presigner,
    Upload,
    check_key,
    is_key,
)
from runner.objects.s3_errors import (
    Place,
    Refusal,
    S3Error,
    StoreForeign,
    StorePrecondition,
    StoreRange,
    refused,
    where,
)
from runner.objects.s3_patience import PATIENT, Patience

PART = 16 * 2**20
"""Bytes that travel in one request; what is larger travels in several at the same time."""

_HANDS = 4
_BATCH = 1000
_REREADS = 10
_WRITER = "writer"


class Bucket(Protocol):
    """The requests that a store makes, by their names in boto3's client.

    Every failure is an `ObjectStoreError`; `key` is what its message names.
    """

    place: Place

    def ask(self, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request about the bucket."""

    def read(self, key: str, **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """Return the answer of `get_object` and all the bytes that came with it."""


@dataclass(frozen=True)
class _Piece:
    """Some bytes of an object, its whole size, and the mark of this version of it."""

    data: bytes
    size: int
    version: str | None = None


class S3Store:
    """Objects in a bucket, below the prefix of its place.

    What passes by itself (no connection, an overloaded server) is tried again with `patience`.
    Objects of more than `part` bytes are written and read in parts, several at the same time.
    Foreign objects whose names are no keys are neither listed nor touched.
    """

    def __init__(
        self,
        bucket: Bucket,
        presigner: Presigner,
        *,
        patience: Patience = PATIENT,
        part: int = PART,
    ) -> None:
        self._bucket = bucket
        self._presigner = presigner
        self._patience = patience
        self._part = part

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        check_key(key)
        if len(data) <= self._part:
            self._patience(lambda: self._ask("put_object", key, Body=data))
        else:
            self._patience(lambda: self._put_in_parts(key, data))

    def create(self, key: str, data: bytes) -> bool:
        """Write an object of at most 5 GiB only where there is none; return whether it was."""
        check_key(key)
        writer = secrets.token_hex(16)
        return self._patience(lambda: self._create(key, data, writer))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes from `start`; past its end there are none."""
        check_key(key)
        if length == 0:
            self._piece(key, 0, 1)
            return b""
        for _ in range(_REREADS):
            # An object that is replaced between two parts is read anew, so none is a mixture.
            with suppress(StorePrecondition):
                return self._get(key, start, length)
        return self._get(key, start, length)

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""
        check_key(key)
        # Not by HEAD: its answer has no body, so an error could not say what is wrong.
        with suppress(ObjectMissing):
            return self._piece(key, 0, 1).size
        return None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
        page = self._page(prefix)
        while True:
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(self._bucket.place.prefix)
                if is_key(key):
                    yield ObjectInfo(key, item["Size"], item["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            page = self._page(prefix, ContinuationToken=page["NextContinuationToken"])

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        wanted = [check_key(key) for key in keys]
        for at in range(0, len(wanted), _BATCH):
            self._remove(*wanted[at : at + _BATCH])

    def presigned_get(self, key: str, seconds: float) -> str:
        """Return an address to GET an object from, whole or by `Range`."""
        return self._presigner.presigned_get(key, seconds)

    def presigned_put(self, key: str, seconds: float) -> str:
        """Return an address to PUT an object to."""
        return self._presigner.presigned_put(key, seconds)

    def presigned_upload(self, prefix: str, largest: int, seconds: float) -> Upload:
        """Return a permission to write objects of at most `largest` bytes below `prefix/`."""
        return self._presigner.presigned_upload(prefix, largest, seconds)

    def check(self) -> None:
        """See whether the store can be used, without patience; raise what says why it cannot."""
        s3_check.check(self._impatient(), f"cannot use {self._bucket.place}")

    def resolves_dots(self) -> bool:
        """Say whether the server treats keys as paths, so that `..` leads out of a prefix."""
        return s3_check.resolves_dots(self._impatient(), self._takes, self._remove)

    def _impatient(self) -> S3Store:
        return S3Store(
            self._bucket, self._presigner, patience=self._patience.none(), part=self._part
        )

    def _create(self, key: str, data: bytes, writer: str) -> bool:
        try:
            self._ask("put_object", key, Body=data, IfNoneMatch="*", Metadata={_WRITER: writer})
        except StorePrecondition:
            # It may be ours: written by a try whose answer was lost.
            return self._writer_of(key) == writer
        return True

    def _writer_of(self, key: str) -> str | None:
        try:
            answer = self._ask("get_object", key)
        except ObjectMissing:
            return None
        answer["Body"].close()
        writer: str | None = answer["Metadata"].get(_WRITER)
        return writer

    def _put_in_parts(self, key: str, data: bytes) -> None:
        upload = self._ask("create_multipart_upload", key)["UploadId"]
        try:
            with ThreadPoolExecutor(_HANDS) as hands:
                starts = range(0, len(data), self._part)
                parts = [*hands.map(lambda at: self._put_part(key, upload, at, data), starts)]
            whole = {"Parts": parts}
            self._ask("complete_multipart_upload", key, UploadId=upload, MultipartUpload=whole)
        except BaseException:
            with suppress(ObjectStoreError):
                self._ask("abort_multipart_upload", key, UploadId=upload)
            raise

    def _put_part(self, key: str, upload: str, at: int, data: bytes) -> Mapping[str, object]:
        number = at // self._part + 1
        part = data[at : at + self._part]
        which = {"UploadId": upload, "PartNumber": number}
        answer = self._patience(lambda: self._ask("upload_part", key, **which, Body=part))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _get(self, key: str, start: int, length: int | None) -> bytes:
        """Return an object's bytes; raise StorePrecondition if it is replaced meanwhile."""
        first = self._piece(key, start, self._part if length is None else min(length, self._part))
        end = first.size if length is None else min(first.size, start + length)
        starts = range(start + len(first.data), end, self._part)
        if not starts:
            return first.data

        def rest(at: int) -> bytes:
            return self._piece(key, at, min(self._part, end - at), first.version).data

        with ThreadPoolExecutor(_HANDS) as hands:
            return b"".join([first.data, *hands.map(rest, starts)])

    def _piece(self, key: str, start: int, length: int, version: str | None = None) -> _Piece:
        return self._patience(lambda: self._range(key, start, length, version))

    def _range(self, key: str, start: int, length: int, version: str | None) -> _Piece:
        condition = {} if version is None else {"IfMatch": version}
        span = f"bytes={start}-{start + length - 1}"
        try:
            answer, data = self._bucket.read(key, Key=self._name(key), Range=span, **condition)
        except StoreRange:
            return _Piece(b"", 0)
        if "ContentRange" not in answer:
            # Whoever does not know ranges may answer with everything (RFC 9110, 14.2).
            return _Piece(data[start : start + length], len(data), answer.get("ETag"))
        return _Piece(data, int(answer["ContentRange"].rpartition("/")[2]), answer.get("ETag"))

    def _page(self, prefix: str, **token: str) -> Mapping[str, Any]:
        operation, told = "list_objects_v2", prefix or "."
        page = self._patience(
            lambda: self._bucket.ask(operation, told, Prefix=self._name(prefix), **token)
        )
        if not page.keys() & {"Name", "IsTruncated"}:
            # Any XML would do as an empty listing, also a page for people.
            raise StoreForeign(where(self._bucket.place, operation, told))
        return page

    def _remove(self, *keys: str) -> None:
        """Remove up to a thousand objects; their names may be no keys."""
        wanted = {"Objects": [{"Key": self._name(key)} for key in keys], "Quiet": True}
        answer = self._patience(
            lambda: self._bucket.ask("delete_objects", _several(keys), Delete=wanted)
        )
        failed = [item for item in answer.get("Errors", ()) if item["Code"] != "NoSuchKey"]
        if failed:
            prefix = self._bucket.place.prefix
            what = _several([item["Key"].removeprefix(prefix) for item in failed])
            refusal = Refusal(failed[0]["Code"], 200, failed[0].get("Message", ""))
            raise refused(self._bucket.place, "delete_objects", what, refusal)

    def _takes(self, name: str) -> bool:
        """Write an empty object of any name; return whether the server took it."""
        try:
            self._ask("put_object", name, Body=b"")
        except S3Error:
            return False
        return True

    def _ask(self, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        return self._bucket.ask(operation, key, Key=self._name(key), **arguments)

    def _name(self, key: str) -> str:
        """Return the bucket's own key of an object."""
        return self._bucket.place.prefix + key


def _several(names: Iterable[str]) -> str:
    """Return the first name, and how many more there are."""
    first, *more = names
    return f"{first} and {len(more)} more" if more else first
