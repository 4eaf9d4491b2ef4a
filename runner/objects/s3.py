"""The way to an S3 server, and what its failures mean: the only home of boto3."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
from botocore import exceptions
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from runner.objects.base import ObjectStoreError
from runner.objects.s3_errors import (
    Place,
    Refusal,
    S3Error,
    StoreForeign,
    StoreLogin,
    StoreTls,
    StoreUnreachable,
    refused,
    where,
)
from runner.objects.s3_patience import Patience
from runner.objects.s3_presigning import S3Presigner
from runner.objects.s3_store import PART, S3Store
from runner.settings_model import S3

_CONNECTIONS = 64
_FAILURES = (exceptions.BotoCoreError, exceptions.ClientError, ResponseParserError)
_BROKEN = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
)
_NO_LOGIN = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
    exceptions.ProfileNotFound,
    exceptions.ConfigParseError,
)


class ClientBucket:
    """A bucket behind boto3's client; safe from any thread, as the client is."""

    def __init__(self, client: Any, place: Place) -> None:
        self._client = client
        self.place = place

    def ask(self, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request about the bucket."""
        with self._explained(operation, key):
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self.place.bucket, **arguments
            )
            return answer

    def read(self, key: str, **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """Return the answer of `get_object` and all the bytes that came with it."""
        with self._explained("get_object", key):
            answer = self._client.get_object(Bucket=self.place.bucket, **arguments)
            return answer, answer["Body"].read()

    @contextmanager
    def _explained(self, operation: str, key: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise self._failure(operation, key, error) from error

    def _failure(self, operation: str, key: str, error: Exception) -> ObjectStoreError:
        if isinstance(error, exceptions.ClientError):
            return refused(self.place, operation, key, _refusal(error))
        return _kind(error)(where(self.place, operation, key), str(error))


def open_s3(url: str, settings: S3, *, attempts: int = 3, part: int = PART) -> S3Store:
    """Return the store of `s3://BUCKET/PREFIX`, without a request; raises ObjectStoreError.

    `attempts` is how often the client itself tries, within one try of our own.
    """
    place = Place.of(url, settings.endpoint or f"Amazon S3 in {settings.region}")
    try:
        client = connect(settings, settings.endpoint, attempts)
        pods = settings.pod_endpoint
        signing = connect(settings, pods, attempts) if pods else client
    except exceptions.BotoCoreError as error:
        raise _kind(error)(f"cannot use {place}", str(error)) from error
    return S3Store(
        ClientBucket(client, place),
        S3Presigner(signing, place.bucket, place.prefix),
        patience=Patience(seconds=settings.patience),
        part=part,
    )


def connect(settings: S3, endpoint: str | None, attempts: int = 3) -> Any:
    """Return boto3's client for an address (Amazon's without one); raises what boto3 does."""
    secret = settings.secret_key
    # With an address of its own, nothing that the environment says of Amazon's may change it.
    own = {"use_dualstack_endpoint": False, "use_fips_endpoint": False} if endpoint else {}
    client = _session(settings).client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        verify=_certificates(settings.ca_file),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=min(settings.timeout, 10.0),
            read_timeout=settings.timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            ignore_configured_endpoint_urls=True,
            **own,
        ),
    )
    client.meta.events.register("before-parse.s3.ListObjectsV2", _want_xml)
    client.meta.events.register("before-sign.s3", _stay)
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    return client


def _session(settings: S3) -> Any:
    """Return a session that looks for nothing elsewhere if the settings hold the key."""
    hidden = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    core = botocore.session.Session(session_vars=hidden if settings.access_key else None)
    return boto3.session.Session(botocore_session=core, region_name=settings.region)


def _certificates(path: Path | None) -> str | None:
    """Return the file of certificates; raise StoreTls for one that holds none."""
    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:
        raise StoreTls(f"cannot use the certificates in {path}", str(error)) from error
    return str(path)


def _stay(request: Any, **_: Any) -> None:
    """Keep boto3 from following a bucket into another region: signed addresses could not follow.

    It follows a request once, so each is told to have been followed.
    """
    request.context.setdefault("s3_redirect", {})["redirected"] = True


def _want_xml(response_dict: Any, **_: Any) -> None:
    """Refuse a page for people in place of a listing; boto3 takes it for a failure that passes.

    By then boto3 has made a 500 of its 200.
    """
    body, status = response_dict["body"], response_dict["status_code"]
    begin = body.lstrip()[:9].lower()
    people = not begin.startswith(b"<") or begin.startswith((b"<html", b"<!doctype"))
    if status in (200, 500) and begin and people:
        message = f"it says {body[:60]!r}"
        raise ResponseParserError(message)


def _add_md5(request: Any, **_: Any) -> None:
    """Add the older checksum of a deletion's body, which some servers still ask for."""
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def _kind(error: Exception) -> type[S3Error]:
    """Return what it means that no answer came, or none that boto3 understands."""
    match error:
        case ResponseParserError():
            return StoreForeign
        case exceptions.SSLError() if "EOF" not in str(error):
            return StoreTls
    if isinstance(error, _BROKEN):
        return StoreUnreachable
    return StoreLogin if isinstance(error, _NO_LOGIN) else S3Error


def _refusal(error: Any) -> Refusal:
    """Return what an answer that is an error says."""
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Refusal(str(told.get("Code", "")), status, str(told.get("Message", "")))
