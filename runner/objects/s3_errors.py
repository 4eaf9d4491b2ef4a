"""What an S3 store can answer instead of doing what was asked, each with what to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from runner.objects.base import ObjectMissing, ObjectStoreError


class S3Error(ObjectStoreError):
    """The S3 store could not do it; `where` says what was tried, `told` is what it said itself."""

    code = "object-store-refused"
    advice: ClassVar[str] = "it refuses"

    def __init__(self, where: str, told: str = "") -> None:
        self.told = told
        super().__init__(f"{where}: {self.advice}{f' ({told})' if told else ''}")


class StoreLogin(S3Error):
    """The key is unknown, or what it signed is not what came."""

    code = "object-store-login"
    advice = "it does not know the key or its signature; look at s3.access_key and s3.secret_key"


class StoreDenied(S3Error):
    """The key is known, and may not do this."""

    code = "object-store-denied"
    advice = "the key may not do this; look at the policy of its user and at that of the bucket"


class StoreReadOnly(StoreDenied):
    """The key may read, and may not write."""

    code = "object-store-read-only"
    advice = "the key may read there but not write; look at its policy, or whether it is read-only"


class StoreBucketMissing(S3Error):
    """There is no such bucket."""

    code = "object-store-bucket"
    advice = "there is no such bucket; make it, or name another one in object_store"


class StoreClock(S3Error):
    """This machine and the store do not agree on the time."""

    code = "object-store-clock"
    advice = "its clock and this machine's differ too much; set both by NTP"


class StoreRegion(S3Error):
    """The bucket lies in another region than the settings say."""

    code = "object-store-region"
    advice = "the bucket lies in another region; look at s3.region"


class StoreFull(S3Error):
    """There is no room left, or the quota is used up."""

    code = "object-store-full"
    advice = "it is full or its quota is used up; free some space there or raise the quota"


class StoreTooLarge(S3Error):
    """The body of a request was too large for somebody on the way."""

    code = "object-store-too-large"
    advice = "it, or a proxy before it, takes no body this large; raise its limit to 5 GiB or none"


class StoreUnreachable(S3Error):
    """There is no connection, or it broke off."""

    code = "object-store-unreachable"
    advice = "it cannot be reached or broke off; look whether it runs, and at s3.endpoint"


class StoreBusy(S3Error):
    """The store answers that it cannot serve now."""

    code = "object-store-busy"
    advice = "it cannot serve this now; look at its own log, its drives and its load"


class StoreTls(S3Error):
    """There is no TLS connection that can be trusted."""

    code = "object-store-tls"
    advice = "TLS with it fails; look at s3.ca_file, and whether s3.endpoint is http or https"


class StoreForeign(S3Error):
    """What answers does not speak S3."""

    code = "object-store-not-s3"
    advice = "what answers is no S3 server; look at s3.endpoint (a console's port? a proxy?)"


class StoreUnconditional(S3Error):
    """The store writes also where it was asked not to."""

    code = "object-store-unconditional"
    advice = "it ignores `If-None-Match`, so two could make one object; take a newer server"


class StorePrecondition(S3Error):
    """The object is not (or no longer) as the request wants it."""

    code = "object-store-precondition"
    advice = "somebody else has written it in the meantime, again and again"


class StoreRange(S3Error):
    """The object ends before the range that was asked for."""

    code = "object-store-range"
    advice = "it ends before the range that was asked for"


PASSING = (StoreUnreachable, StoreBusy)
"""What may be over soon: the same request is worth another try."""


@dataclass(frozen=True)
class Place:
    """Where a store is: a bucket, what its keys begin with there (`""` or `…/`), the server."""

    bucket: str
    prefix: str
    server: str

    @classmethod
    def of(cls, url: str, server: str) -> Place:
        """Return the place of `s3://BUCKET` or `s3://BUCKET/PREFIX`."""
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        return cls(bucket, f"{prefix}/" if prefix else "", server)

    def __str__(self) -> str:
        return f"the object store s3://{self.bucket}/{self.prefix} at {self.server}"


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error: S3's code (the status where there was none), status, words."""

    code: str
    status: int
    message: str = ""

    def __str__(self) -> str:
        named = bool(self.code) and not self.code.isdecimal()
        return f"{self.code if named else f'HTTP {self.status}'} {self.message}".strip()


def kind_of(refusal: Refusal) -> type[S3Error]:
    """Return what an answer means."""
    if "quota" in refusal.code.lower():
        return StoreFull
    if refusal.code in _CODES:
        return _CODES[refusal.code]
    if refusal.status in _STATUSES:
        return _STATUSES[refusal.status]
    # Every S3 server says a code of its own in words; a bare status comes from somebody else.
    return StoreForeign if refusal.code.isdecimal() or not refusal.code else S3Error


def refused(place: Place, operation: str, key: str, refusal: Refusal) -> ObjectStoreError:
    """Return the error for an answer; `operation` is that of boto3's client, on this key."""
    if refusal.code == "NoSuchKey":
        return ObjectMissing(key)
    kind = kind_of(refusal)
    told = f"{refusal}; it takes {_ACTS[operation][1]}" if kind is StoreDenied else str(refusal)
    return kind(where(place, operation, key), told)


def where(place: Place, operation: str, key: str) -> str:
    """Return how a message begins: what could not be done to which object, and where."""
    return f"cannot {_ACTS[operation][0]} {key} in {place}"


# What is asked of the client, in our words, and the right that it takes.
_ACTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "put_object": ("write", "s3:PutObject"),
        "create_multipart_upload": ("write", "s3:PutObject"),
        "upload_part": ("write", "s3:PutObject"),
        "complete_multipart_upload": ("write", "s3:PutObject"),
        "abort_multipart_upload": ("give up writing", "s3:AbortMultipartUpload"),
        "get_object": ("read", "s3:GetObject"),
        "list_objects_v2": ("list", "s3:ListBucket"),
        "delete_objects": ("remove", "s3:DeleteObject"),
    }
)
# What servers say, as docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists it and
# beyond it.
_CODES: Mapping[str, type[S3Error]] = MappingProxyType(
    {
        "InvalidAccessKeyId": StoreLogin,
        "SignatureDoesNotMatch": StoreLogin,
        "InvalidToken": StoreLogin,
        "ExpiredToken": StoreLogin,
        "TokenRefreshRequired": StoreLogin,
        "InvalidSecurity": StoreLogin,
        "XAdminUserNotFound": StoreLogin,
        "AccessDenied": StoreDenied,
        "AllAccessDisabled": StoreDenied,
        "AccountProblem": StoreDenied,
        "UnauthorizedAccess": StoreDenied,
        "NoSuchBucket": StoreBucketMissing,
        "InvalidBucketName": StoreBucketMissing,
        "RequestTimeTooSkewed": StoreClock,
        "RequestExpired": StoreClock,
        "AuthorizationHeaderMalformed": StoreRegion,
        "AuthorizationQueryParametersError": StoreRegion,
        "PermanentRedirect": StoreRegion,
        "TemporaryRedirect": StoreRegion,
        "IllegalLocationConstraintException": StoreRegion,
        "XMinioStorageFull": StoreFull,
        "InsufficientStorage": StoreFull,
        "EntityTooLarge": StoreTooLarge,
        "PreconditionFailed": StorePrecondition,
        "InvalidRange": StoreRange,
        "ConditionalRequestConflict": StoreBusy,
        "OperationAborted": StoreBusy,
        # The upload was completed by a try whose answer was lost: the next one begins anew.
        "NoSuchUpload": StoreBusy,
        "RequestTimeout": StoreBusy,
        "SlowDown": StoreBusy,
        "InternalError": StoreBusy,
        "ServiceUnavailable": StoreBusy,
    }
)
_STATUSES: Mapping[int, type[S3Error]] = MappingProxyType(
    {
        413: StoreTooLarge,
        429: StoreBusy,
        500: StoreBusy,
        502: StoreBusy,
        503: StoreBusy,
        504: StoreBusy,
        507: StoreFull,
    }
)
