from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.objects.filesystem import FilesystemStore
from tests.runner.objects.accounts import ordinary_user
from tests.runner.objects.contract import ObjectStoreContract


class TestDurable(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesystemStore:
        return FilesystemStore(tmp_path / "store")


class TestFast(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesystemStore:
        return FilesystemStore(tmp_path / "store", durable=False)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the kernel refuse longer files, as a disk that is full does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_an_object_is_a_plain_file_at_its_key(tmp_path: Path) -> None:
    FilesystemStore(tmp_path).put("packs/ab/abc", b"bytes")
    assert (tmp_path / "packs" / "ab" / "abc").read_bytes() == b"bytes"


def test_a_write_that_fails_leaves_the_old_object_and_no_file(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    store.put("key", b"old")
    with files_limited_to(50_000), pytest.raises(ObjectStoreError, match="cannot write key"):
        store.put("key", b"x" * 100_000)
    assert store.get("key") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_failure_names_the_folder_and_the_cure(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    store = FilesystemStore(tmp_path / "store")
    for key in ("a/b", "b"):
        with pytest.raises(
            ObjectStoreError, match=f"{key} in the object store at .*store: .*a file"
        ):
            store.create(key, b"")


def test_permission_denied_says_what_to_look_at() -> None:
    with ordinary_user() as root:
        store = FilesystemStore(root)
        store.put("a/key", b"")
        (root / "a").chmod(0o500)
        with pytest.raises(ObjectStoreError, match="permission denied; look at the owner"):
            store.put("a/other", b"")
        (root / "a").chmod(0)
        with pytest.raises(
            ObjectStoreError, match=r"cannot read a/key .* permission denied"
        ) as caught:
            store.get("a/key")
        assert not isinstance(caught.value, ObjectMissing)
        with pytest.raises(ObjectStoreError, match=r"cannot look at a/key .* permission denied"):
            store.size("a/key")
        with pytest.raises(ObjectStoreError, match=r"cannot list \. .* permission denied"):
            list(store.list())


def test_any_other_failure_is_told_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(ObjectStoreError, match=os.strerror(errno.ENAMETOOLONG)):
        FilesystemStore(tmp_path).put("x" * 300, b"")


def test_an_object_cannot_be_a_folder_too(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    store.put("a/b", b"")
    for act in (store.put, store.create):
        with pytest.raises(ObjectStoreError, match="a folder stands where the object belongs"):
            act("a", b"")
    assert [info.key for info in store.list()] == ["a/b"]


def test_delete_removes_the_folders_it_emptied(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "store")
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete(["a/b/c"])
    assert sorted(path.name for path in (tmp_path / "store" / "a").iterdir()) == ["d"]
    store.delete(["a/d"])
    assert list((tmp_path / "store").iterdir()) == []


def test_writing_goes_on_while_folders_come_and_go(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "store", durable=False)
    stop = threading.Event()

    def delete() -> None:
        while not stop.is_set():
            store.delete(["a/b/other"])
            store.create("a/b/other", b"")

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for _ in range(200):
            store.put("a/b/mine", b"x")
            store.delete(["a/b/mine"])
    finally:
        stop.set()
        thread.join()


def test_what_a_dead_writer_left_is_no_object_and_can_be_tidied(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    store.put("a/key", b"")
    old, new = tmp_path / "a" / "~old", tmp_path / "a" / "~new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    assert [info.key for info in store.list()] == ["a/key"]
    assert store.tidy(before=2000) == 1
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["key", "~new"]
