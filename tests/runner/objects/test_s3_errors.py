from __future__ import annotations

import pytest

from runner.objects import s3_errors
from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.objects.s3_errors import (
    Place,
    Refusal,
    S3Error,
    StoreBucketMissing,
    StoreBusy,
    StoreClock,
    StoreDenied,
    StoreForeign,
    StoreFull,
    StoreLogin,
    StoreRegion,
    StoreTooLarge,
    kind_of,
    refused,
)

PLACE = Place("ci", "a/", "http://s3:9000")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InvalidAccessKeyId", 403, StoreLogin),
        ("XAdminUserNotFound", 404, StoreLogin),
        ("AccessDenied", 403, StoreDenied),
        ("NoSuchBucket", 404, StoreBucketMissing),
        ("RequestTimeTooSkewed", 403, StoreClock),
        ("PermanentRedirect", 301, StoreRegion),
        ("XMinioStorageFull", 507, StoreFull),
        ("XMinioAdminBucketQuotaExceeded", 400, StoreFull),
        ("QuotaExceeded", 403, StoreFull),
        ("507", 507, StoreFull),
        ("EntityTooLarge", 400, StoreTooLarge),
        ("413", 413, StoreTooLarge),
        ("SlowDownWrite", 503, StoreBusy),
        ("XMinioServerNotInitialized", 503, StoreBusy),
        ("ConditionalRequestConflict", 409, StoreBusy),
        ("502", 502, StoreBusy),
        ("TooManyRequests", 429, StoreBusy),
        ("404", 404, StoreForeign),
        ("403", 403, StoreForeign),
        ("302", 302, StoreForeign),
        ("", 200, StoreForeign),
        ("MalformedXML", 400, S3Error),
        ("NotImplemented", 501, S3Error),
    ],
)
def test_answers_mean_what_their_codes_say(code: str, status: int, kind: type[S3Error]) -> None:
    assert kind_of(Refusal(code, status)) is kind


def test_a_message_says_what_where_why_and_in_whose_words() -> None:
    refusal = Refusal("AccessDenied", 403, "Access Denied.")
    error = refused(PLACE, "put_object", "logs/1", refusal)
    assert str(error) == (
        "cannot write logs/1 in the object store s3://ci/a/ at http://s3:9000: "
        "the key may not do this; look at the policy of its user and at that of the bucket "
        "(AccessDenied Access Denied.; it takes s3:PutObject)"
    )


def test_an_object_that_is_not_there_is_no_failure_of_the_store() -> None:
    error = refused(PLACE, "get_object", "logs/1", Refusal("NoSuchKey", 404))
    assert isinstance(error, ObjectMissing)
    assert error.key == "logs/1"


def test_every_error_has_a_code_and_advice_of_its_own() -> None:
    kinds = [
        kind
        for kind in vars(s3_errors).values()
        if isinstance(kind, type) and issubclass(kind, S3Error)
    ]
    assert len(kinds) > 10
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert len({kind.advice for kind in kinds}) == len(kinds)
    assert all(issubclass(kind, ObjectStoreError) for kind in kinds)
    assert all(kind.code.startswith("object-store-") for kind in kinds)
    assert str(S3Error("cannot x")) == "cannot x: it refuses"
