from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.workspace.capture import Captured, capture
from runner.workspace.errors import Unreadable
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY, Entry, Kind, Manifest
from runner.workspace.packs import FRAME
from runner.workspace.snapshots import Snapshots
from tests.runner.objects.accounts import ordinary_user
from tests.runner.workspace.test_packs import noise
from tests.runner.workspace.trees import (
    FOLDER,
    File,
    Link,
    capture_all,
    later,
    names_in,
    snapshot_of,
    store,
    write,
    write_file,
)


def content(captured: Captured, snapshots: Snapshots, path: str) -> bytes:
    entry = captured.manifest.entries[path]
    return b"".join(snapshots.contents(captured.manifest).read(entry))


def test_all_that_a_snapshot_holds_is_captured(tmp_path: Path) -> None:
    snapshots = store()
    captured = snapshot_of(
        tmp_path / "w",
        {
            "dir": FOLDER,
            "dir/run": File(b"#!/bin/sh", executable=True, modified_ns=5),
            "empty": FOLDER,
            "link": Link("dir/run"),
            "nothing": File(b""),
        },
        snapshots,
    )
    assert list(captured.manifest.entries) == ["dir", "dir/run", "empty", "link", "nothing"]
    run = captured.manifest.entries["dir/run"]
    assert (run.kind, run.executable, run.size, run.modified_ns) == (Kind.FILE, True, 9, 5)
    assert content(captured, snapshots, "dir/run") == b"#!/bin/sh"
    assert captured.manifest.entries["link"].target == "dir/run"
    assert captured.manifest.entries["empty"].kind is Kind.DIRECTORY
    assert captured.manifest.entries["nothing"].pack == ""
    assert captured.warnings == ()
    assert Snapshots(snapshots.objects).load(captured.digest) == captured.manifest


def test_the_parents_stand_in_the_manifest(tmp_path: Path) -> None:
    parents = ("a" * 64, "b" * 64)
    captured = capture(tmp_path, EMPTY, Index(), store(), parents)
    assert captured.manifest.parents == parents


def test_a_child_stores_only_what_changed(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(
        tmp_path / "w",
        {name: File(noise(5000, number)) for number, name in enumerate("abc")},
        snapshots,
    )
    write_file(tmp_path / "w/b", File(b"new"))
    write_file(tmp_path / "w/copy", File(noise(5000, 0)))
    second = capture_all(tmp_path / "w", snapshots, first.manifest, first.index)
    assert second.files_hashed == 2
    assert second.stored_bytes < 100 < first.stored_bytes
    assert second.manifest.parents == (first.digest,)
    assert second.manifest.entries["a"] == first.manifest.entries["a"]
    assert second.manifest.entries["copy"].pack == first.manifest.entries["a"].pack
    assert len(second.manifest.packs) == 2
    assert content(second, snapshots, "b") == b"new"


def test_what_changes_nothing_is_its_own_parent(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1"), "d": FOLDER}, snapshots)
    before = names_in(snapshots.objects)
    for index in (first.index, Index()):
        again = capture_all(tmp_path / "w", snapshots, first.manifest, index)
        assert again.digest == first.digest
        assert again.stored_bytes == 0
    assert names_in(snapshots.objects) == before


def test_the_same_tree_from_other_parents_is_another_snapshot(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1")}, snapshots)
    other = capture(tmp_path / "w", first.manifest, Index(), snapshots, (first.digest, "a" * 64))
    assert other.digest != first.digest


def test_known_files_are_not_read(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1"), "b": File(b"2")}, snapshots)
    assert first.files_hashed == 2
    assert capture_all(tmp_path / "w", snapshots, first.manifest, first.index).files_hashed == 0
    assert capture_all(tmp_path / "w", snapshots, first.manifest).files_hashed == 2


def test_an_index_may_know_contents_that_the_base_does_not_have(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1"), "b": File(b"1")}, snapshots)
    fresh = store()
    second = capture_all(tmp_path / "w", fresh, EMPTY, first.index)
    assert second.files_hashed == 1
    assert content(second, fresh, "b") == b"1"


def test_a_known_file_may_have_been_elsewhere_in_the_base(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1")}, snapshots)
    (tmp_path / "w/a").rename(tmp_path / "w/b")
    second = capture_all(tmp_path / "w", snapshots, first.manifest, first.index)
    third = capture_all(tmp_path / "w", snapshots, first.manifest, second.index)
    assert third.files_hashed == 0
    assert third.digest == second.digest
    assert list(third.manifest.entries) == ["b"]


@pytest.mark.parametrize("touched", [File(b"1", modified_ns=7), File(b"1", executable=True)])
def test_mode_and_time_change_without_the_content(tmp_path: Path, touched: File) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1")}, snapshots)
    write_file(tmp_path / "w/a", touched)
    second = capture_all(tmp_path / "w", snapshots, first.manifest, first.index)
    entry = second.manifest.entries["a"]
    assert (entry.executable, entry.modified_ns) == (touched.executable, touched.modified_ns)
    assert entry.pack == first.manifest.entries["a"].pack
    assert second.stored_bytes == 0


def test_a_change_that_keeps_size_and_time_is_found(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(tmp_path / "w", {"a": File(b"1")}, snapshots)
    write_file(tmp_path / "w/a", File(b"2"))
    second = capture_all(tmp_path / "w", snapshots, first.manifest, first.index)
    assert content(second, snapshots, "a") == b"2"


def test_a_change_right_after_a_capture_is_found(tmp_path: Path) -> None:
    snapshots = store()
    write(tmp_path / "w", {"a": File(b"0")})
    last = capture(tmp_path / "w", EMPTY, Index(), snapshots, ())
    for number in range(50):
        data = b"%d" % (number % 10)
        write_file(tmp_path / "w/a", File(data))
        last = capture(tmp_path / "w", last.manifest, last.index, snapshots, (last.digest,))
        assert content(last, snapshots, "a") == data


def test_what_git_knows_of_a_file_goes_with_its_content(tmp_path: Path) -> None:
    snapshots = store()
    first = snapshot_of(
        tmp_path / "w", {"a": File(b"1"), "l": Link("a"), "m": Link("a")}, snapshots
    )
    entries = {
        path: Entry(
            path,
            entry.kind,
            False,
            entry.size,
            entry.digest,
            5,
            entry.target,
            entry.pack,
            entry.offset,
            "0" * 40,
        )
        for path, entry in first.manifest.entries.items()
    }
    base = Manifest(entries, (), first.manifest.packs)
    snapshots.save(base)
    (tmp_path / "w/m").unlink()
    (tmp_path / "w/m").symlink_to("l")
    second = capture_all(tmp_path / "w", snapshots, base)
    oids = {path: entry.oid for path, entry in second.manifest.entries.items()}
    assert oids == {"a": "0" * 40, "l": "0" * 40, "m": ""}
    write_file(tmp_path / "w/a", File(b"2"))
    assert capture_all(tmp_path / "w", snapshots, base).manifest.entries["a"].oid == ""


def test_hard_links_become_files_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "w", {"a": File(b"1")})
    os.link(tmp_path / "w/a", tmp_path / "w/b")
    captured = capture_all(tmp_path / "w", store())
    assert [entry.kind for entry in captured.manifest.entries.values()] == [Kind.FILE, Kind.FILE]
    assert len({entry.digest for entry in captured.manifest.files()}) == 1


def test_special_bits_are_dropped_without_a_word(tmp_path: Path) -> None:
    write(tmp_path / "w", {"a": File(b"1"), "d": FOLDER})
    (tmp_path / "w/a").chmod(0o4755)
    (tmp_path / "w/d").chmod(0o1777)
    captured = capture_all(tmp_path / "w", store())
    assert captured.warnings == ()
    assert captured.manifest.entries["a"].executable


def test_what_cannot_be_held_is_left_out_by_name(tmp_path: Path) -> None:
    write(tmp_path / "w", {"a": File(b"1"), "out": Link("/etc/passwd")})
    os.mkfifo(tmp_path / "w/pipe")
    captured = capture_all(tmp_path / "w", store())
    assert list(captured.manifest.entries) == ["a"]
    assert len(captured.warnings) == 2


def test_only_the_given_paths_are_captured(tmp_path: Path) -> None:
    write(
        tmp_path / "w",
        {"d": FOLDER, "d/a": File(b"1"), "d/b": File(b"2"), "e": FOLDER, "l": Link("d")},
    )
    captured = capture(
        tmp_path / "w", EMPTY, Index(), store(), (), paths=["d/a", "l", "gone", "e"], clock=later
    )
    assert list(captured.manifest.entries) == ["d", "d/a", "e", "l"]
    assert list(captured.index.known) == ["d/a"]


def test_large_files_are_split_and_found_again(tmp_path: Path) -> None:
    snapshots = store()
    data = noise(20 * FRAME)
    first = snapshot_of(tmp_path / "w", {"large": File(data)}, snapshots)
    assert len(first.manifest.entries["large"].packs) == 2
    assert content(first, snapshots, "large") == data
    again = capture_all(tmp_path / "w", snapshots, first.manifest)
    assert again.stored_bytes == 0


class Tampering(Index):
    """An index that does something to the files right before the first would be read."""

    root: Path

    def digest(self, path: str, status: os.stat_result) -> str | None:
        if (self.root / "gone").exists():
            tamper(self.root)
        return None


def tamper(root: Path) -> None:
    """Remove a file, replace others by what is no file, and swap a directory for a symlink."""
    for name in ("gone", "linked", "piped", "folded"):
        (root / name).unlink()
    (root / "linked").symlink_to("kept")
    os.mkfifo(root / "piped")
    (root / "folded").mkdir()
    (root / "swapped").rename(root.parent / "moved")
    (root / "swapped").symlink_to("../outside")


def test_what_goes_or_changes_its_kind_meanwhile_was_never_there(tmp_path: Path) -> None:
    root = tmp_path / "w"
    files = {name: File(b"1") for name in ("gone", "linked", "piped", "folded", "kept")}
    write(root, {**files, "swapped": FOLDER, "swapped/file": File(b"inside")})
    write(tmp_path / "outside", {"file": File(b"secret")})

    class Here(Tampering):
        root = tmp_path / "w"

    snapshots = store()
    captured = capture(root, EMPTY, Here(), snapshots, ())
    assert list(captured.manifest.entries) == ["kept", "swapped", "swapped/file"]
    assert content(captured, snapshots, "swapped/file") == b"inside"


def test_a_file_that_is_still_written_to_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "w/large"
    write(tmp_path / "w", {"large": File(noise(40 * FRAME))})

    class Appending(MemoryStore):
        """Adds to the file with each pack; the next pack waits for that."""

        def create(self, key: str, data: bytes) -> bool:
            with path.open("ab") as file:
                file.write(b"x")
            return super().create(key, data)

    captured = capture_all(tmp_path / "w", Snapshots(Appending()))
    assert captured.warnings == ("'large' was still being written to: it is kept as it was read",)


def test_a_file_that_cannot_be_read_is_named() -> None:
    with ordinary_user() as root:
        write(root, {"d": FOLDER, "d/secret": File(b"1")})
        (root / "d/secret").chmod(0)
        with pytest.raises(Unreadable, match="cannot read 'd/secret': Permission denied") as caught:
            capture_all(root, store())
        assert (caught.value.code, caught.value.path) == ("workspace-unreadable", "d/secret")


def test_a_working_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot open the working directory: No such file"):
        capture_all(tmp_path / "absent", store())


def test_times_out_of_range_are_brought_into_it(tmp_path: Path) -> None:
    write(tmp_path / "w", {"a": File(b"1")})
    (tmp_path / "w/a").touch()
    with suppress(OSError):  # a file system may refuse a time so far away
        os.utime(tmp_path / "w/a", (2**34, 2**34))
    captured = capture_all(tmp_path / "w", store())
    assert abs(captured.manifest.entries["a"].modified_ns) < 2**63


def test_trouble_with_the_store_is_passed_on(tmp_path: Path) -> None:
    class Full(MemoryStore):
        def put(self, key: str, data: bytes) -> None:
            message = "the disk is full"
            raise ObjectStoreError(message)

    write(tmp_path / "w", {"a": File(b"1")})
    with pytest.raises(ObjectStoreError, match="the disk is full"):
        capture_all(tmp_path / "w", Snapshots(Full()))


def test_the_clock_is_read_before_the_files_are(tmp_path: Path) -> None:
    captured = capture(tmp_path, EMPTY, Index(), store(), (), clock=lambda: 42)
    assert captured.index.taken_ns == 42
