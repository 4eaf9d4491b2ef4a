"""Signed addresses of single objects, for those who hold no key of the store."""

from __future__ import annotations

import math
from typing import Any

from runner.objects.base import Upload, check_key

LONGEST = 7 * 24 * 3600
"""Seconds that a signature lasts at most (AWS Signature Version 4, `X-Amz-Expires`)."""


class S3Presigner:
    """Signs on this machine, without a request; `client` is boto3's, for the endpoint that those
    who get the addresses use; `prefix` is where the store's keys begin in the bucket."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def presigned_get(self, key: str, seconds: float) -> str:
        """Return an address to GET an object from, whole or by `Range`."""
        return self._signed("get_object", key, seconds)

    def presigned_put(self, key: str, seconds: float) -> str:
        """Return an address to PUT an object to."""
        return self._signed("put_object", key, seconds)

    def presigned_upload(self, prefix: str, largest: int, seconds: float) -> Upload:
        """Return a permission to write objects of at most `largest` bytes below `prefix/`.

        The slash is part of the permission, or `attempts/1` would let into `attempts/10`. The form
        is that of docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html.
        """
        full = f"{self._prefix}{check_key(prefix.removesuffix('/'))}/"
        form = self._client.generate_presigned_post(
            self._bucket,
            full + "${filename}",
            Conditions=[["content-length-range", 0, largest]],
            ExpiresIn=_whole(seconds),
        )
        fields = {name: value for name, value in form["fields"].items() if name != "key"}
        return Upload(form["url"], fields, full)

    def _signed(self, operation: str, key: str, seconds: float) -> str:
        where = {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}
        url: str = self._client.generate_presigned_url(operation, where, ExpiresIn=_whole(seconds))
        return url


def _whole(seconds: float) -> int:
    """Return the seconds as a signature tells them: whole, at least one, at most a week."""
    return max(1, min(math.ceil(seconds), LONGEST))
