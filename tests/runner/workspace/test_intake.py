from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.objects.memory import MemoryStore
from runner.workspace.intake import Intake, Taken
from runner.workspace.manifest import EMPTY, EMPTY_DIGEST, Entry, Pack, build
from runner.workspace.packs import FRAME, PackWriter, Place
from tests.runner.workspace.test_packs import noise, unpack

A, B = "a" * 64, "b" * 64


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def writer(objects: MemoryStore) -> Iterator[PackWriter]:
    with PackWriter(objects) as writer:
        yield writer


def take(intake: Intake, path: Path) -> Taken:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return intake.take(descriptor)
    finally:
        os.close(descriptor)


class Meddling:
    """Reads as `os.read` does, and changes the file before some of the reads."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.times = times
        self.reads = 0

    def __call__(self, descriptor: int, size: int) -> bytes:
        data = os.read(descriptor, size)
        self.reads += 1
        if self.reads <= self.times:
            with self.path.open("ab") as file:
                file.write(b"%d" % self.reads)
        return data


@pytest.mark.parametrize("size", [1, 100, FRAME, FRAME + 1, 3 * FRAME])
def test_a_content_is_stored_once(
    tmp_path: Path, objects: MemoryStore, writer: PackWriter, size: int
) -> None:
    intake = Intake(writer, EMPTY)
    data = noise(size)
    for name in ("one", "two", "three"):
        (tmp_path / name).write_bytes(data)
    taken = [take(intake, tmp_path / name) for name in ("one", "two", "three")]
    assert [(one.size, one.settled) for one in taken] == [(size, True)] * 3
    packs = writer.finish()
    assert sum(pack.length for pack in packs.values()) == size
    assert unpack(objects, packs, intake.place(taken[0].digest, size), size) == data


def test_large_contents_of_one_size_are_told_apart(
    tmp_path: Path, objects: MemoryStore, writer: PackWriter
) -> None:
    intake = Intake(writer, EMPTY)
    contents = [noise(2 * FRAME, seed) for seed in (1, 2)]
    digests = []
    for data in contents:
        (tmp_path / "file").write_bytes(data)
        digests.append(take(intake, tmp_path / "file").digest)
    packs = writer.finish()
    for digest, data in zip(digests, contents, strict=True):
        assert unpack(objects, packs, intake.place(digest, len(data)), len(data)) == data


def test_an_empty_content_needs_no_place(tmp_path: Path, writer: PackWriter) -> None:
    intake = Intake(writer, EMPTY)
    (tmp_path / "empty").touch()
    assert take(intake, tmp_path / "empty").digest == EMPTY_DIGEST
    assert intake.take_bytes(b"") == EMPTY_DIGEST
    assert writer.finish() == {}
    assert intake.place(EMPTY_DIGEST, 0) == Place("", 0)


def test_what_the_base_has_stays_where_it_is(tmp_path: Path, writer: PackWriter) -> None:
    digest = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"  # of "1"
    entry = Entry("f", size=1, digest=digest, pack=A, offset=7, rest=(B,))
    intake = Intake(writer, build([entry], (), {A: Pack(1, 1, 8), B: Pack(1, 1, 8)}))
    assert intake.knows(digest)
    (tmp_path / "file").write_bytes(b"1")
    assert take(intake, tmp_path / "file").digest == digest
    assert writer.finish() == {}
    assert intake.place(digest, 1) == Place(A, 7, (B,))


def test_bytes_at_hand_are_stored_like_files(objects: MemoryStore, writer: PackWriter) -> None:
    intake = Intake(writer, EMPTY)
    contents = [b"small", noise(3 * FRAME), b"small"]
    digests = [intake.take_bytes(data) for data in contents]
    packs = writer.finish()
    assert sum(pack.length for pack in packs.values()) == 3 * FRAME + 5
    for digest, data in zip(digests, contents, strict=True):
        assert unpack(objects, packs, intake.place(digest, len(data)), len(data)) == data


@pytest.mark.parametrize("size", [100, 2 * FRAME])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, objects: MemoryStore, writer: PackWriter, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(noise(size))
    intake = Intake(writer, EMPTY, read=Meddling(path, times=2))
    taken = take(intake, path)
    data = path.read_bytes()
    assert taken.settled
    assert taken.size == len(data) == size + 2
    packs = writer.finish()
    assert unpack(objects, packs, intake.place(taken.digest, taken.size), taken.size) == data


@pytest.mark.parametrize("size", [100, 2 * FRAME])
def test_a_file_that_never_settles_is_kept_as_it_was_read(
    tmp_path: Path, objects: MemoryStore, writer: PackWriter, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(noise(size))
    intake = Intake(writer, EMPTY, read=Meddling(path, times=1000))
    taken = take(intake, path)
    assert not taken.settled
    packs = writer.finish()
    kept = unpack(objects, packs, intake.place(taken.digest, taken.size), taken.size)
    assert path.read_bytes().startswith(kept)
    assert len(kept) >= size
