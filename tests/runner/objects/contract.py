"""What every object store must do: subclass, override `store`, and each rule becomes a test."""

from __future__ import annotations

import threading
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runner.objects.base import ObjectMissing, ObjectStore, ObjectStoreError

BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "a/../b",
    "./a",
    "a/.",
    "a b",
    "~a",
    "ä",
    "a\0b",
    "a" * 1025,
]

# No key here is the folder of another, which a store of files cannot hold.
_NAMES = st.sampled_from(["a", "b", "a-b", "a.b", "a0", "B", ".hidden"])
_KEYS = st.builds("{}/{}/end".format, _NAMES, _NAMES) | st.builds(
    "{}/{}-end".format, _NAMES, _NAMES
)
_DATA = st.binary(max_size=40)


class ObjectStoreContract:
    """The contract of `runner.objects.base.ObjectStore`."""

    histories: ClassVar[int] = 25
    """How many histories are tried beside a dict; fewer where a step is a request."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """An empty store."""
        raise AssertionError("override the fixture")

    def test_what_is_put_can_be_got(self, store: ObjectStore) -> None:
        store.put("packs/ab/abc", b"bytes")
        assert store.get("packs/ab/abc") == b"bytes"

    def test_an_object_may_be_empty(self, store: ObjectStore) -> None:
        store.put("empty", b"")
        assert store.get("empty") == b""
        assert store.size("empty") == 0

    def test_put_replaces(self, store: ObjectStore) -> None:
        store.put("key", b"first, and longer")
        store.put("key", b"second")
        assert store.get("key") == b"second"

    def test_create_writes_once(self, store: ObjectStore) -> None:
        assert store.create("key", b"first")
        assert not store.create("key", b"second")
        assert store.get("key") == b"first"

    def test_create_writes_again_after_delete(self, store: ObjectStore) -> None:
        assert store.create("deep/key", b"first")
        store.delete(["deep/key"])
        assert store.create("deep/key", b"second")
        assert store.get("deep/key") == b"second"

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (4, None, b"456789"),
            (2, 3, b"234"),
            (0, 0, b""),
            (8, 5, b"89"),
            (10, None, b""),
            (12, 3, b""),
        ],
    )
    def test_a_range_is_cut_at_the_end(
        self, store: ObjectStore, start: int, length: int | None, expected: bytes
    ) -> None:
        store.put("digits", b"0123456789")
        assert store.get("digits", start, length) == expected

    @pytest.mark.parametrize("key", ["absent", "absent/deep", "there/below", "folder"])
    def test_what_is_not_there_is_missing(self, store: ObjectStore, key: str) -> None:
        store.put("there", b"")
        store.put("folder/file", b"")
        with pytest.raises(ObjectMissing, match=key):
            store.get(key)
        assert store.size(key) is None

    def test_size_counts_bytes(self, store: ObjectStore) -> None:
        store.put("key", b"12345")
        assert store.size("key") == 5

    def test_list_goes_by_key(self, store: ObjectStore) -> None:
        keys = ["a-b/x", "a/x", "a/y/z", "a.b", "b", "a0", "Z"]
        for key in keys:
            store.put(key, key.encode())
        assert [info.key for info in store.list()] == sorted(keys)
        assert [info.size for info in store.list("a/")] == [3, 5]

    def test_a_prefix_may_end_inside_a_name(self, store: ObjectStore) -> None:
        for key in ("packs/ab/1", "packs/ac/2", "packs/b/3", "other"):
            store.put(key, b"")
        assert [info.key for info in store.list("packs/a")] == ["packs/ab/1", "packs/ac/2"]
        assert list(store.list("nothing")) == []
        assert list(store.list("packs/ab/1/more")) == []

    def test_list_tells_when_an_object_was_written(self, store: ObjectStore) -> None:
        store.put("first", b"")
        store.put("second", b"")
        first, second = store.list()
        assert 1e9 < first.modified <= second.modified

    def test_delete_is_content_with_what_is_gone(self, store: ObjectStore) -> None:
        store.put("a/b", b"")
        store.put("a/c", b"")
        store.delete(["a/b", "absent", "a/b/below"])
        assert [info.key for info in store.list()] == ["a/c"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_other_keys_are_refused(self, store: ObjectStore, key: str) -> None:
        for act in (
            lambda: store.put(key, b""),
            lambda: store.create(key, b""),
            lambda: store.get(key),
            lambda: store.size(key),
            lambda: store.delete([key]),
        ):
            with pytest.raises(ObjectStoreError, match="is no object key"):
                act()
        assert list(store.list()) == []

    def test_of_many_that_create_one_wins(self, store: ObjectStore) -> None:
        won: list[int] = []
        threads = [
            threading.Thread(
                target=lambda n=number: (
                    won.append(n) if store.create("one/key", b"%d" % n) else None
                )
            )
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [b"%d" % number for number in won] == [store.get("one/key")]

    def test_a_reader_never_sees_half_an_object(self, store: ObjectStore) -> None:
        versions = [bytes([number]) * 200_000 for number in range(4)]
        store.put("key", versions[0])
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                for version in versions:
                    store.put("key", version)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert all(store.get("key") in versions for _ in range(50))
        finally:
            stop.set()
            writer.join()

    def test_it_agrees_with_a_dict(self, store: ObjectStore) -> None:
        run_state_machine_as_test(
            lambda: StoreMachine(store),  # type: ignore[arg-type]  # any factory will do
            settings=settings(max_examples=self.histories, stateful_step_count=20, deadline=None),
        )


class StoreMachine(RuleBasedStateMachine):
    """A store beside a dict that was told the same."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        self.store = store
        self.twin: dict[str, bytes] = {}
        store.delete([info.key for info in store.list()])

    @rule(key=_KEYS, data=_DATA)
    def put(self, key: str, data: bytes) -> None:
        self.store.put(key, data)
        self.twin[key] = data

    @rule(key=_KEYS, data=_DATA)
    def create(self, key: str, data: bytes) -> None:
        assert self.store.create(key, data) == (key not in self.twin)
        self.twin.setdefault(key, data)

    @rule(keys=st.lists(_KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        self.store.delete(keys)
        for key in keys:
            self.twin.pop(key, None)

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), start=st.integers(0, 50), length=st.none() | st.integers(0, 50))
    def get(self, data: st.DataObject, start: int, length: int | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.twin)))
        end = None if length is None else start + length
        assert self.store.get(key, start, length) == self.twin[key][start:end]

    @rule(prefix=st.just("") | _NAMES | _KEYS)
    def list(self, prefix: str) -> None:
        assert [(info.key, info.size) for info in self.store.list(prefix)] == [
            (key, len(self.twin[key])) for key in sorted(self.twin) if key.startswith(prefix)
        ]

    @invariant()
    def sizes_agree(self) -> None:
        for key in ("a/a/end", "a/a-end"):
            expected = self.twin.get(key)
            assert self.store.size(key) == (None if expected is None else len(expected))
