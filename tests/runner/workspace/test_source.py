from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from runner.workspace.capture import Captured
from runner.workspace.errors import SourceIncomplete
from runner.workspace.index import Index
from runner.workspace.manifest import Kind, Manifest
from runner.workspace.packs import FRAME
from runner.workspace.snapshots import Snapshots
from runner.workspace.source import TreeEntry, capture_source
from tests.runner.workspace.test_packs import noise
from tests.runner.workspace.trees import store

FILE, RUN, LINK, SUBMODULE, TREE = 0o100644, 0o100755, 0o120000, 0o160000, 0o040000


class Repository:
    """Blobs by their object id, and a tree of them; it writes down what is read."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.tree: list[TreeEntry] = []
        self.read_ids: list[str] = []

    def add(self, path: str, data: bytes = b"", mode: int = FILE) -> str:
        oid = hashlib.sha1(b"blob" + data).hexdigest()
        self.blobs[oid] = data
        self.tree.append(TreeEntry(path, mode, oid, len(data)))
        return oid

    def read(self, oids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        self.read_ids += oids
        return ((oid, self.blobs[oid]) for oid in oids)

    def capture(
        self, snapshots: Snapshots, previous: Manifest | None = None, time: int = 7
    ) -> Captured:
        return capture_source(self.tree, self.read, previous, snapshots, time)


@pytest.fixture
def repository() -> Repository:
    made = Repository()
    made.add("README", b"read me")
    made.add("bin/run", b"#!/bin/sh", RUN)
    made.add("bin/link", b"../README", LINK)
    made.add("bin/deep/empty")
    made.add("large", noise(2 * FRAME))
    return made


def test_the_source_is_captured(repository: Repository) -> None:
    snapshots = store()
    captured = repository.capture(snapshots)
    manifest = Snapshots(snapshots.objects).load(captured.digest)
    assert manifest == captured.manifest
    assert [(path, entry.kind.value) for path, entry in manifest.entries.items()] == [
        ("README", "file"),
        ("bin", "directory"),
        ("bin/deep", "directory"),
        ("bin/deep/empty", "file"),
        ("bin/link", "symlink"),
        ("bin/run", "file"),
        ("large", "file"),
    ]
    assert manifest.entries["bin/run"].executable
    assert not manifest.entries["README"].executable
    assert {entry.modified_ns for entry in manifest.files()} == {7}
    assert {item.path: item.oid for item in repository.tree} == {
        path: entry.oid for path, entry in manifest.entries.items() if entry.oid
    }
    for item in repository.tree:
        entry = manifest.entries[item.path]
        if entry.kind is Kind.FILE:
            data = b"".join(snapshots.contents(manifest).read(entry))
            assert data == repository.blobs[item.oid]
    assert manifest.entries["bin/link"].target == "../README"
    assert (captured.warnings, captured.index, captured.files_hashed) == ((), Index(), 5)
    assert captured.manifest.parents == ()


def test_what_the_last_source_had_is_not_read_again(repository: Repository) -> None:
    snapshots = store()
    first = repository.capture(snapshots)
    repository.read_ids.clear()
    again = repository.capture(snapshots, first.manifest)
    assert (again.digest, again.stored_bytes, repository.read_ids) == (first.digest, 0, [])
    new = repository.add("src/new", b"new")
    del repository.tree[0]
    second = repository.capture(snapshots, first.manifest, time=8)
    assert repository.read_ids == [new]
    assert second.files_hashed == 1
    assert "README" not in second.manifest.entries
    assert second.manifest.entries["bin/link"] == first.manifest.entries["bin/link"]
    assert second.manifest.entries["large"].pack == first.manifest.entries["large"].pack
    assert second.manifest.entries["large"].modified_ns == 8
    assert len(second.manifest.packs) == 2


def test_an_object_may_stand_at_many_paths_and_be_both_file_and_symlink() -> None:
    repository = Repository()
    for path, mode in (("a", FILE), ("b", FILE), ("l", LINK), ("m", LINK)):
        repository.add(path, b"a", mode)
    snapshots = store()
    captured = repository.capture(snapshots)
    assert len(repository.read_ids) == 1
    entries = captured.manifest.entries
    assert entries["a"].digest == entries["b"].digest != ""
    assert entries["l"].target == entries["m"].target == "a"
    repository.read_ids.clear()
    repository.capture(snapshots, captured.manifest)
    assert repository.read_ids == []


def test_what_no_snapshot_can_hold_is_left_out_by_name() -> None:
    repository = Repository()
    repository.add("vendor/library", mode=SUBMODULE)
    repository.add("absolute", b"/etc/passwd", LINK)
    repository.add("leaving", b"a/../..", LINK)
    repository.add("latin", b"\xe9", LINK)
    repository.add("../up")
    repository.add("/etc/passwd")
    repository.add("odd", mode=0o010644)
    repository.add("ok")
    captured = repository.capture(store())
    assert list(captured.manifest.entries) == ["ok"]
    told = [warning.removeprefix("left out of the workspace: ") for warning in captured.warnings]
    assert told == [
        "'vendor/library': a submodule, which is not fetched",
        "'../up': its path has an empty, '.' or '..' segment",
        "'/etc/passwd': its path is absolute",
        "'odd': of the unknown mode 010644",
        "'absolute': a symlink to an absolute path: '/etc/passwd'",
        "'leaving': a symlink that leaves the workspace: 'a/../..'",
        "'latin': its target is not UTF-8: '\\udce9'",
    ]


def test_a_forged_tree_that_is_none_is_refused_entry_by_entry() -> None:
    repository = Repository()
    for path, mode in (
        ("a", FILE), ("a", RUN), ("a/b", FILE), ("d/x", FILE), ("d", LINK), ("d", TREE),
        ("e", TREE), ("e", TREE), ("l", LINK), ("l/y", FILE),
    ):  # fmt: skip
        repository.add(path, b"x", mode)
    captured = repository.capture(store())
    assert list(captured.manifest.entries) == ["a", "d", "d/x", "e", "l"]
    assert not captured.manifest.entries["a"].executable
    assert [warning.split(": ", 1)[1] for warning in captured.warnings] == [
        "'a': the tree has something else at its path",
        "'a/b': the tree has a file where its directory would be",
        "'d': the tree has something else at its path",
        "'l/y': the tree has a file where its directory would be",
    ]


@pytest.mark.parametrize("mode", [FILE, LINK])
def test_an_object_that_git_does_not_give_is_named(mode: int) -> None:
    repository = Repository()
    oid = repository.add("a/b", b"x", mode)
    with pytest.raises(SourceIncomplete, match=f"object {oid}, which is 'a/b'") as caught:
        capture_source(repository.tree, lambda _: iter(()), None, store(), 0)
    assert (caught.value.code, caught.value.oid) == ("source-incomplete", oid)


def test_an_empty_tree_is_a_source() -> None:
    assert Repository().capture(store()).manifest.entries == {}
