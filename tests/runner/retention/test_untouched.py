from __future__ import annotations

from runner.objects.memory import MemoryStore
from runner.retention.untouched import Untouched


def test_it_reads_and_does_not_write() -> None:
    store = MemoryStore()
    store.put("a", b"0123")
    looked = Untouched(store)
    looked.put("b", b"1")
    looked.put("a", b"1")
    looked.delete(["a"])
    assert (looked.create("a", b"1"), looked.create("c", b"1")) == (False, True)
    assert looked.get("a", 1, 2) == b"12"
    assert (looked.size("a"), looked.size("c")) == (4, None)
    assert [info.key for info in looked.list("")] == ["a"]
