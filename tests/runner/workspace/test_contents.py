from __future__ import annotations

import pytest

from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.workspace.contents import Contents
from runner.workspace.errors import PackDamaged, PackMissing
from runner.workspace.intake import Intake
from runner.workspace.manifest import EMPTY, EMPTY_DIGEST, Entry, Manifest, build
from runner.workspace.packs import FRAME, PackWriter, pack_key
from tests.runner.workspace.test_packs import Counting, noise


def stored(objects: MemoryStore, files: dict[str, bytes], limit: int = 16 << 20) -> Manifest:
    """Store files and return a manifest of them."""
    with PackWriter(objects, limit) as writer:
        intake = Intake(writer, EMPTY)
        digests = {path: intake.take_bytes(data) for path, data in files.items()}
        packs = writer.finish()
        entries = []
        for path, digest in digests.items():
            size = len(files[path])
            place = intake.place(digest, size)
            entries.append(
                Entry(
                    path,
                    size=size,
                    digest=digest,
                    pack=place.pack,
                    offset=place.offset,
                    rest=place.rest,
                )
            )
    return build(entries, (), packs)


def read(objects: MemoryStore, manifest: Manifest, path: str) -> bytes:
    return b"".join(Contents(objects, manifest).read(manifest.entries[path]))


def test_files_are_read_by_their_entries() -> None:
    objects = MemoryStore()
    files = {"a": b"one", "b": b"", "c": noise(3 * FRAME + 1)}
    manifest = stored(objects, files)
    for path, data in files.items():
        assert read(objects, manifest, path) == data


def test_a_file_in_several_packs_is_read_through_all_of_them() -> None:
    objects = MemoryStore()
    large = noise(4 * FRAME + 3)
    manifest = stored(objects, {"a": b"first", "b": large, "c": b"last"}, FRAME)
    assert len(manifest.entries["b"].rest) == 4
    assert read(objects, manifest, "b") == large
    assert read(objects, manifest, "c") == b"last"


def test_many_files_of_a_pack_are_read_with_few_calls() -> None:
    objects = Counting()
    files = {f"f{number}": noise(FRAME // 2, number) for number in range(6)}
    manifest = stored(objects, files)
    entries = sorted(manifest.files(), key=lambda entry: entry.offset)
    found = {
        entry.path: b"".join(parts)
        for entry, parts in Contents(objects, manifest).read_all(entries)
    }
    assert found == files
    assert len(objects.reads) == 2


def test_no_files_are_no_work() -> None:
    assert list(Contents(MemoryStore(), EMPTY).read_all([])) == []


def test_a_missing_pack_is_named_with_path_and_snapshot() -> None:
    objects = MemoryStore()
    manifest = stored(objects, {"a": b"one"})
    [pack] = manifest.packs
    objects.delete([pack_key(pack)])
    with pytest.raises(PackMissing) as caught:
        read(objects, manifest, "a")
    error = caught.value
    assert (error.code, error.path, error.pack) == ("pack-missing", "a", pack)
    assert error.snapshot == manifest.digest
    for word in ("'a'", pack, manifest.digest):
        assert word in str(error)


def test_a_missing_later_pack_is_named() -> None:
    objects = MemoryStore()
    manifest = stored(objects, {"a": noise(3 * FRAME)}, FRAME)
    last = manifest.entries["a"].rest[-1]
    objects.delete([pack_key(last)])
    with pytest.raises(PackMissing) as caught:
        read(objects, manifest, "a")
    assert caught.value.pack == last


def test_a_damaged_pack_is_named() -> None:
    objects = MemoryStore()
    manifest = stored(objects, {"a": noise(3 * FRAME)})
    [pack] = manifest.packs
    data = bytearray(objects.get(pack_key(pack)))
    data[-1] ^= 1
    objects.put(pack_key(pack), bytes(data))
    with pytest.raises(PackDamaged, match="does not end with its seek table") as caught:
        read(objects, manifest, "a")
    assert (caught.value.code, caught.value.pack) == ("pack-damaged", pack)


def test_one_wrong_byte_is_found_wherever_it_is() -> None:
    objects = MemoryStore()
    manifest = stored(objects, {"a": b"some text that is long enough" * 3})
    [pack] = manifest.packs
    good = objects.get(pack_key(pack))
    for position in range(len(good) - 25):
        data = good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :]
        objects.put(pack_key(pack), data)
        with pytest.raises(PackDamaged, match="'a'"):
            read(objects, manifest, "a")


def test_a_wrong_digest_is_found_for_an_empty_file_too() -> None:
    entry = Entry("a", digest="0" * 64)
    manifest = build([entry, Entry("b", digest=EMPTY_DIGEST)], (), {})
    assert read(MemoryStore(), manifest, "b") == b""
    with pytest.raises(PackDamaged, match="not those that were stored"):
        read(MemoryStore(), manifest, "a")


def test_trouble_with_the_store_is_no_damage() -> None:
    class Away(MemoryStore):
        def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
            message = "the network is down"
            raise ObjectStoreError(message)

    objects = Away()
    manifest = stored(objects, {"a": b"one"})
    with pytest.raises(ObjectStoreError, match="the network is down"):
        read(objects, manifest, "a")
