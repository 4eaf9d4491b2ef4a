from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.objects.base import ObjectInfo, ObjectMissing
from runner.objects.memory import MemoryStore
from runner.objects.s3 import open_s3
from runner.objects.s3_check import check, resolves_dots
from runner.objects.s3_errors import (
    StoreBucketMissing,
    StoreDenied,
    StoreForeign,
    StoreReadOnly,
    StoreUnconditional,
    StoreUnreachable,
)
from tests.runner.objects.conftest import BUCKET, available, fresh
from tests.testbed.stores import StoreServer, versitygw


def test_a_good_store_is_left_as_it_was(server: StoreServer) -> None:
    store = fresh(server)
    store.put("key", b"data")
    store.check()
    store.resolves_dots()
    assert [info.key for info in store.list()] == ["key"]


def test_a_check_does_not_wait(own_minio: StoreServer) -> None:
    store = open_s3(f"s3://{BUCKET}", own_minio.settings(patience=1e6), attempts=1)
    own_minio.stop()
    with pytest.raises(StoreUnreachable):
        store.check()


def test_what_is_wrong_is_told(server: StoreServer) -> None:
    with pytest.raises(StoreBucketMissing):
        open_s3("s3://no-such-bucket", server.settings()).check()


def test_a_server_for_reading_only() -> None:
    with (
        available(versitygw("--readonly", buckets=[BUCKET])) as server,
        pytest.raises(StoreReadOnly, match=r"cannot use .*may read there but not write"),
    ):
        fresh(server).check()


def test_a_server_of_files_resolves_dots(
    minio_server: StoreServer, versitygw_server: StoreServer
) -> None:
    assert not fresh(minio_server).resolves_dots()
    assert fresh(versitygw_server).resolves_dots()


def test_a_server_of_plain_keys_does_not_resolve_them() -> None:
    store, written = MemoryStore(), list[str]()

    def write(name: str) -> bool:
        written.append(name)
        return True

    removed: list[str] = []
    assert not resolves_dots(store, write, removed.append)
    assert removed == written


class Careless(MemoryStore):
    """Writes also where there is something."""

    def create(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True


class Forgetful(MemoryStore):
    """Takes what it never gives."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        raise ObjectMissing(key)


class Clinging(MemoryStore):
    """Removes nothing."""

    def delete(self, keys: object) -> None:
        """Keep them."""


class Secretive(MemoryStore):
    """Lists nothing to this key."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise StoreDenied("cannot list check/ in the store")


@pytest.mark.parametrize(
    ("store", "error"),
    [
        (Careless(), StoreUnconditional),
        (Forgetful(), StoreForeign),
        (Clinging(), StoreForeign),
        (Secretive(), StoreDenied),
    ],
)
def test_stores_that_are_none(store: MemoryStore, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"cannot (use|list)"):
        check(store, "cannot use it")
