"""Opens the object store that the settings name, and loads boto3 only for one that needs it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runner.objects.base import ObjectStore, ObjectStoreError, SharedStore
from runner.objects.filesystem import FilesystemStore
from runner.objects.s3_errors import PASSING
from runner.readiness import Reach, at_once

if TYPE_CHECKING:
    from runner.settings_model import Settings

log = logging.getLogger("hookline")

_RESOLVES_DOTS = (
    "%s resolves `..` in the names of objects, so permissions to write below a prefix "
    "(presigned uploads) do not hold there; use another server for untrusted steps"
)


class StoreUnshared(ObjectStoreError):
    """The store is a folder, which nobody else can reach."""

    code = "object-store-unshared"


class StoreUnsupported(ObjectStoreError):
    """What speaks S3 is not installed."""

    code = "object-store-unsupported"


def open_store(settings: Settings) -> ObjectStore:
    """Return the store; one that speaks S3 was tried. Raises ObjectStoreError if it is no use."""
    folder = settings.object_folder
    return open_shared_store(settings) if folder is None else FilesystemStore(folder)


def open_shared_store(settings: Settings, reach: Reach = at_once) -> SharedStore:
    """Return the store of settings that name a bucket, after it was tried.

    Raises StoreUnshared for a folder, else what `open_store` does. Whether one that is away is
    waited for is up to `reach`.
    """
    if settings.object_folder is not None:
        message = f"object_store: {settings.object_store} is a folder; Pods need s3://BUCKET"
        raise StoreUnshared(message)
    try:
        from runner.objects.s3 import open_s3  # noqa: PLC0415 - boto3 is large, and an extra
    except ModuleNotFoundError as error:
        message = f"object_store: {settings.object_store} needs boto3: install hookline[s3]"
        raise StoreUnsupported(message) from error
    store = open_s3(settings.object_store, settings.s3)

    def attempt() -> None:
        store.check()
        if store.resolves_dots():
            log.warning(_RESOLVES_DOTS, settings.s3.endpoint)

    reach("the object store", attempt, PASSING)
    return store
