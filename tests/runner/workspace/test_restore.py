from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.workspace.capture import Captured
from runner.workspace.errors import ManifestInvalid, PackDamaged, PackMissing, Unwritable
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY_DIGEST, Entry, Kind, Manifest, build, encode
from runner.workspace.packs import FRAME, pack_key
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots, snapshot_key
from runner.workspace.zstd import compress
from tests.runner.objects.accounts import ordinary_user
from tests.runner.workspace.test_packs import Counting, noise
from tests.runner.workspace.trees import (
    FOLDER,
    File,
    Link,
    Node,
    later,
    modes,
    read,
    snapshot_of,
    store,
    write,
    write_file,
)

TREE: dict[str, Node] = {
    "dir": FOLDER,
    "dir/deep": FOLDER,
    "dir/deep/run": File(b"#!/bin/sh", executable=True, modified_ns=5),
    "dir/file": File(b"text"),
    "empty": FOLDER,
    "link": Link("dir/file"),
    "nothing": File(b""),
}


def restored(captured: Captured, directory: Path, snapshots: Snapshots, index: Index) -> Index:
    return restore(captured.manifest, directory, index, snapshots, clock=later)


def inodes(root: Path) -> dict[str, tuple[int, int]]:
    """Return what changes if a file is replaced or touched."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            found[path.relative_to(root).as_posix()] = (status.st_ino, status.st_ctime_ns)
    return found


def test_a_fresh_directory_becomes_equal(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    restored(captured, tmp_path / "far/away", snapshots, Index())
    assert read(tmp_path / "far/away") == TREE


def test_many_and_large_files_are_restored_by_several_threads(tmp_path: Path) -> None:
    snapshots = store()
    tree: dict[str, Node] = {f"f{number}": File(b"%d" % number) for number in range(1500)}
    tree |= {f"large{number}": File(noise(3 * FRAME, number)) for number in range(8)}
    captured = snapshot_of(tmp_path / "w", tree, snapshots)
    assert len(captured.manifest.packs) > 1
    index = restored(captured, tmp_path / "copy", snapshots, Index())
    assert read(tmp_path / "copy") == tree
    assert len(index.known) == len(tree)


def test_the_index_knows_all_files(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    index = restored(captured, tmp_path / "copy", snapshots, Index())
    for entry in captured.manifest.files():
        status = (tmp_path / "copy" / entry.path).stat()
        assert index.digest(entry.path, status) == entry.digest


def test_a_directory_in_use_is_changed_only_where_it_must(tmp_path: Path) -> None:
    snapshots = Snapshots(Counting())
    first = snapshot_of(tmp_path / "w", TREE, snapshots)
    index = restored(first, tmp_path / "copy", snapshots, Index())
    write_file(tmp_path / "w/dir/file", File(b"other"))
    second = snapshot_of(tmp_path / "x", {**TREE, "dir/file": File(b"other")}, snapshots)
    before = inodes(tmp_path / "copy")
    index = restored(second, tmp_path / "copy", snapshots, index)
    after = inodes(tmp_path / "copy")
    assert read(tmp_path / "copy") == read(tmp_path / "x")
    assert {path for path in after if after[path] != before.get(path)} == {"dir/file"}
    before = inodes(tmp_path / "copy")
    restored(second, tmp_path / "copy", snapshots, index)
    assert inodes(tmp_path / "copy") == before


def test_only_what_is_missing_is_fetched(tmp_path: Path) -> None:
    objects = Counting()
    snapshots = Snapshots(objects)
    first = snapshot_of(tmp_path / "w", TREE, snapshots)
    restored(first, tmp_path / "copy", snapshots, Index())
    (tmp_path / "copy/dir/deep/run").chmod(0o644)
    (tmp_path / "copy/dir/file").touch()
    (tmp_path / "copy/nothing").unlink()
    objects.reads.clear()
    restored(first, tmp_path / "copy", snapshots, Index())
    assert read(tmp_path / "copy") == TREE
    assert objects.reads == []


def test_what_does_not_belong_is_removed(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    copy = tmp_path / "copy"
    write(
        copy,
        {
            "link": File(b"a file in the place of a symlink"),
            "nothing": FOLDER,
            "nothing/deep": FOLDER,
            "nothing/deep/er": File(b""),
            "dir": Link("empty"),
            "empty": File(b"a file in the place of a directory"),
            "more": FOLDER,
            "more/file": File(b""),
            "one": Link("more"),
        },
    )
    os.mkfifo(copy / "pipe")
    (copy / os.fsdecode(b"\xff.txt".replace(b"\xff", b"f"))).touch()
    restored(captured, copy, snapshots, Index())
    assert read(copy) == TREE


def test_a_symlink_with_another_target_is_made_anew(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    write(tmp_path / "copy", {"link": Link("nothing")})
    restored(captured, tmp_path / "copy", snapshots, Index())
    assert read(tmp_path / "copy") == TREE


def test_permissions_are_those_of_a_fresh_directory(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    index = restored(captured, tmp_path / "fresh", snapshots, Index())
    index = restored(captured, tmp_path / "copy", snapshots, index)
    for path, mode in {"dir": 0o500, "empty": 0o1777, "dir/file": 0o600, "nothing": 0o4444}.items():
        (tmp_path / "copy" / path).chmod(mode)
    restored(captured, tmp_path / "copy", snapshots, index)
    assert modes(tmp_path / "copy") == modes(tmp_path / "fresh")


def test_a_directory_hands_its_group_on_as_before(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(tmp_path / "w", TREE, snapshots)
    index = restored(captured, tmp_path / "copy", snapshots, Index())
    (tmp_path / "copy/dir").chmod(0o2777)
    restored(captured, tmp_path / "copy", snapshots, index)
    assert stat.S_IMODE((tmp_path / "copy/dir").stat().st_mode) & ~0o777 == stat.S_ISGID


def test_read_only_files_and_directories_do_not_stand_in_the_way() -> None:
    with ordinary_user() as folder:
        snapshots = store()
        captured = snapshot_of(folder / "w", TREE, snapshots)
        write(
            folder / "copy",
            {
                "dir": FOLDER,
                "dir/file": File(b"old"),
                "dir/deep": FOLDER,
                "dir/deep/run": File(b"#!/bin/sh"),
                "dir/deep/old": File(b""),
                "gone": FOLDER,
                "gone/below": FOLDER,
                "gone/below/file": File(b""),
            },
        )
        for path, mode in {
            "dir/deep/run": 0,
            "dir/deep": 0o500,
            "dir": 0o500,
            "gone/below": 0o500,
            "gone": 0o500,
        }.items():
            (folder / "copy" / path).chmod(mode)
        restored(captured, folder / "copy", snapshots, Index())
        assert read(folder / "copy") == TREE


def test_what_cannot_be_changed_is_named() -> None:
    with ordinary_user() as folder:
        snapshots = store()
        captured = snapshot_of(folder / "w", {"a": FOLDER}, snapshots)
        write(folder / "copy", {"a": FOLDER, "a/closed": FOLDER})
        (folder / "copy/a/closed").chmod(0)
        with pytest.raises(Unwritable, match="cannot change what is in 'a': Permission") as caught:
            restored(captured, folder / "copy", snapshots, Index())
        assert (caught.value.code, caught.value.path) == ("workspace-unwritable", "a")


def test_a_working_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    captured = snapshot_of(tmp_path / "w", TREE, store())
    with pytest.raises(Unwritable, match="cannot set up the working directory") as caught:
        restored(captured, tmp_path / "file", store(), Index())
    assert caught.value.errno == errno.EEXIST


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK])
def test_a_name_that_the_file_system_refuses_is_told(tmp_path: Path, kind: Kind) -> None:
    name = "x" * 300
    digest = EMPTY_DIGEST if kind is Kind.FILE else ""
    entry = Entry(name, kind, digest=digest, target="a" if kind is Kind.SYMLINK else "")
    with pytest.raises(Unwritable, match=f"cannot (write|make) '{name}'"):
        restore(build([entry], (), {}), tmp_path / "w", Index(), store())
    assert list((tmp_path / "w").iterdir()) == []


class TestDamage:
    """A pack that is missing or damaged is told, and no half of a file gets a name."""

    def damaged(self, tmp_path: Path, objects: MemoryStore) -> Captured:
        tree: dict[str, Node] = {
            "d": FOLDER,
            "d/large": File(noise(3 * FRAME)),
            "small": File(b"1"),
        }
        return snapshot_of(tmp_path / "w", tree, Snapshots(objects))

    def test_a_missing_pack(self, tmp_path: Path) -> None:
        objects = MemoryStore()
        captured = self.damaged(tmp_path, objects)
        [pack] = captured.manifest.packs
        objects.delete([pack_key(pack)])
        with pytest.raises(PackMissing, match="'d/large'") as caught:
            restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        assert (caught.value.snapshot, caught.value.pack) == (captured.digest, pack)
        assert set(read(tmp_path / "copy")) == {"d"}

    def test_a_damaged_pack(self, tmp_path: Path) -> None:
        objects = MemoryStore()
        captured = self.damaged(tmp_path, objects)
        [pack] = captured.manifest.packs
        data = bytearray(objects.get(pack_key(pack)))
        data[2 * FRAME + 1000] ^= 1
        objects.put(pack_key(pack), bytes(data))
        write(tmp_path / "copy", {"d": FOLDER, "d/large": File(b"what was there")})
        with pytest.raises(PackDamaged, match="'d/large'") as caught:
            restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        assert (caught.value.snapshot, caught.value.pack) == (captured.digest, pack)
        assert read(tmp_path / "copy")["d/large"] == File(b"what was there")

    def test_one_of_many_threads_fails(self, tmp_path: Path) -> None:
        objects = MemoryStore()
        tree: dict[str, Node] = {
            f"f{number}": File(noise(3 * FRAME, number)) for number in range(9)
        }
        captured = snapshot_of(tmp_path / "w", tree, Snapshots(objects))
        objects.delete([pack_key(captured.manifest.entries["f8"].pack)])
        with pytest.raises(PackMissing):
            restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        assert all(tree[path] == node for path, node in read(tmp_path / "copy").items())

    def test_trouble_with_the_store(self, tmp_path: Path) -> None:
        class Away(MemoryStore):
            def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
                message = "the network is down"
                raise ObjectStoreError(message)

        objects = Away()
        captured = self.damaged(tmp_path, objects)
        with pytest.raises(ObjectStoreError, match="the network is down"):
            restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        assert set(read(tmp_path / "copy")) == {"d"}

    def test_it_can_be_done_again(self, tmp_path: Path) -> None:
        objects = MemoryStore()
        captured = self.damaged(tmp_path, objects)
        [pack] = captured.manifest.packs
        data = objects.get(pack_key(pack))
        objects.delete([pack_key(pack)])
        with pytest.raises(PackMissing):
            restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        objects.put(pack_key(pack), data)
        restored(captured, tmp_path / "copy", Snapshots(objects), Index())
        assert read(tmp_path / "copy") == read(tmp_path / "w")


class TestAttacks:
    """Whatever the snapshot or the directory holds, nothing outside is touched."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        write(tmp_path / "outside", {"file": File(b"precious"), "d": FOLDER})
        return tmp_path / "outside"

    def check(self, outside: Path) -> None:
        assert read(outside) == {"file": File(b"precious"), "d": FOLDER}

    @pytest.mark.parametrize("path", ["../outside/file", "/tmp/file", "d/../../outside/file"])
    def test_a_manifest_with_a_path_that_leaves(self, path: str) -> None:
        snapshots = store()
        entries = [Entry("d", Kind.DIRECTORY), Entry(path, digest=EMPTY_DIGEST)]
        raw = encode(Manifest({entry.path: entry for entry in entries}))
        digest = Manifest({entry.path: entry for entry in entries}).digest
        snapshots.objects.put(snapshot_key(digest), compress(raw))
        with pytest.raises(ManifestInvalid):
            snapshots.load(digest)

    def test_a_symlink_in_the_place_of_a_directory(self, tmp_path: Path, outside: Path) -> None:
        snapshots = store()
        captured = snapshot_of(tmp_path / "w", TREE, snapshots)
        write(tmp_path / "copy", {"dir": Link("../outside"), "empty": Link(str(outside))})
        restored(captured, tmp_path / "copy", snapshots, Index())
        self.check(outside)
        assert read(tmp_path / "copy") == TREE

    def test_a_symlink_in_the_place_of_a_file(self, tmp_path: Path, outside: Path) -> None:
        snapshots = store()
        captured = snapshot_of(tmp_path / "w", {"f": File(b"precious", modified_ns=1)}, snapshots)
        write(tmp_path / "copy", {"f": Link("../outside/file")})
        restored(captured, tmp_path / "copy", snapshots, Index())
        self.check(outside)
        assert read(tmp_path / "copy") == {"f": File(b"precious", modified_ns=1)}

    def test_a_hard_link_to_a_file_outside(self, tmp_path: Path, outside: Path) -> None:
        snapshots = store()
        same = File(b"precious", executable=True, modified_ns=1)
        captured = snapshot_of(tmp_path / "w", {"f": same, "g": File(b"new")}, snapshots)
        (tmp_path / "copy").mkdir()
        for name in ("f", "g"):
            os.link(outside / "file", tmp_path / "copy" / name)
        index = restored(captured, tmp_path / "copy", snapshots, Index())
        self.check(outside)
        assert read(tmp_path / "copy") == {"f": same, "g": File(b"new")}
        os.link(tmp_path / "copy/f", outside / "mine")
        restored(captured, tmp_path / "copy", snapshots, index)
        (tmp_path / "copy/f").write_bytes(b"changed")
        assert (outside / "mine").read_bytes() == b"precious"

    def test_a_symlink_within_what_is_removed(self, tmp_path: Path, outside: Path) -> None:
        snapshots = store()
        captured = snapshot_of(tmp_path / "w", {}, snapshots)
        write(tmp_path / "copy", {"a": FOLDER, "a/b": FOLDER, "a/b/c": Link(str(outside))})
        restored(captured, tmp_path / "copy", snapshots, Index())
        self.check(outside)
        assert read(tmp_path / "copy") == {}

    def test_a_directory_is_swapped_for_a_symlink_meanwhile(
        self, tmp_path: Path, outside: Path
    ) -> None:
        copy = tmp_path / "copy"

        class Swapping(MemoryStore):
            def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
                if key.startswith("packs/") and not (copy / "dir").is_symlink():
                    (copy / "dir").rename(tmp_path / "moved")
                    (copy / "dir").symlink_to("../outside")
                return super().get(key, start, length)

        snapshots = Snapshots(Swapping())
        tree: dict[str, Node] = {"dir": FOLDER, "dir/d": FOLDER, "dir/d/x": File(b"bad")}
        captured = snapshot_of(tmp_path / "w", tree, snapshots)
        with pytest.raises(Unwritable, match="cannot write 'dir/d/x'"):
            restored(captured, copy, snapshots, Index())
        self.check(outside)

    def test_a_symlink_is_planted_where_a_file_goes_meanwhile(
        self, tmp_path: Path, outside: Path
    ) -> None:
        copy = tmp_path / "copy"

        class Planting(MemoryStore):
            def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
                if key.startswith("packs/"):
                    (copy / "f").symlink_to("../outside/file")
                return super().get(key, start, length)

        snapshots = Snapshots(Planting())
        captured = snapshot_of(tmp_path / "w", {"f": File(b"new")}, snapshots)
        restored(captured, copy, snapshots, Index())
        self.check(outside)
        assert read(copy) == {"f": File(b"new")}
