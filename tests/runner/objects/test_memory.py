from __future__ import annotations

import pytest

from runner.objects.base import ObjectInfo
from runner.objects.memory import MemoryStore
from tests.runner.objects.contract import ObjectStoreContract


class TestMemoryStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def test_the_clock_dates_objects() -> None:
    store = MemoryStore(clock=lambda: 12.5)
    store.put("a", b"1")
    store.create("b", b"22")
    assert list(store.list()) == [ObjectInfo("a", 1, 12.5), ObjectInfo("b", 2, 12.5)]
