from __future__ import annotations

import hashlib
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.workspace.manifest import Pack
from runner.workspace.packs import (
    FRAME,
    RELIABLE,
    BadPack,
    PackReader,
    PackWriter,
    Place,
    pack_key,
)
from runner.workspace.seektable import table_size, write_table
from runner.workspace.zstd import compress
from tests.runner.workspace.trees import names_in

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def noise(size: int, seed: int = 1) -> bytes:
    """Return bytes that cannot be compressed."""
    return random.Random(seed).randbytes(size)


def pack_up(
    objects: MemoryStore, *contents: bytes, limit: int = 16 << 20
) -> tuple[dict[str, Pack], list[Place]]:
    """Write contents and return the packs and where each content is."""
    with PackWriter(objects, limit) as writer:
        spans = []
        for content in contents:
            spans.append((writer.begin(len(content)), len(content)))
            writer.write(content)
        packs = writer.finish()
        return packs, [writer.place(*span) for span in spans]


def unpack(objects: MemoryStore, packs: dict[str, Pack], place: Place, size: int) -> bytes:
    """Read a content back from where it is."""
    parts: list[bytes] = []
    offset = place.offset
    for digest in (place.pack, *place.rest):
        length = min(size, packs[digest].length - offset)
        window = PackReader(objects, digest, packs[digest]).window([(offset, length)])
        parts += window.read(offset, length)
        size, offset = size - length, 0
    return b"".join(parts)


class Counting(MemoryStore):
    """A store that writes down what is read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int | None]] = []

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.reads.append((start, length))
        return super().get(key, start, length)


def test_small_contents_share_a_frame() -> None:
    objects = MemoryStore()
    packs, places = pack_up(objects, b"one", b"two", b"three")
    [(digest, pack)] = packs.items()
    assert pack.frames == 1
    assert pack.length == 11
    assert places == [Place(digest, 0), Place(digest, 3), Place(digest, 6)]


def test_a_pack_is_named_by_the_digest_of_its_bytes() -> None:
    objects = MemoryStore()
    packs, _ = pack_up(objects, b"text" * 1000)
    [(digest, pack)] = packs.items()
    data = objects.get(f"packs/{digest[:2]}/{digest}")
    assert hashlib.sha256(data).hexdigest() == digest
    assert len(data) == pack.size


def test_the_same_contents_make_the_same_packs() -> None:
    contents = [noise(FRAME // 3, seed) for seed in range(20)]
    assert pack_up(MemoryStore(), *contents) == pack_up(MemoryStore(), *contents)


def test_plain_zstd_reads_a_pack() -> None:
    objects = MemoryStore()
    contents = [b"text" * 500_000, noise(1000), b"end"]
    [digest] = pack_up(objects, *contents)[0]
    assert zstd.decompress(objects.get(pack_key(digest))) == b"".join(contents)


def test_a_small_content_never_lies_in_two_frames() -> None:
    objects = Counting()
    packs, places = pack_up(objects, noise(FRAME - 10), noise(20), noise(FRAME, 2), b"x")
    assert [pack.frames for pack in packs.values()] == [4]
    for place, size in zip(places, (FRAME - 10, 20, FRAME, 1), strict=True):
        objects.reads.clear()
        unpack(objects, packs, place, size)
        assert len(objects.reads) == 2, "one for the table, one for the frame"


def test_a_large_content_goes_on_in_further_packs() -> None:
    objects = MemoryStore()
    large = noise(5 * FRAME + 5)
    packs, places = pack_up(objects, b"first", large, b"last", limit=2 * FRAME)
    assert len(places[1].rest) == 4
    assert all(pack.size <= 2 * FRAME for pack in packs.values())
    contents = (b"first", large, b"last")
    for place, content in zip(places, contents, strict=True):
        assert unpack(objects, packs, place, len(content)) == content


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 50) | st.integers(FRAME - 5, FRAME + 5) | st.just(3 * FRAME),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.sampled_from([1, FRAME, 2 * FRAME + 100, 16 << 20]),
)
def test_what_was_packed_can_be_read(shapes: list[tuple[int, bool]], limit: int) -> None:
    objects = MemoryStore()
    contents = [
        noise(size, seed) if rough else bytes([seed]) * size
        for seed, (size, rough) in enumerate(shapes)
    ]
    packs, places = pack_up(objects, *contents, limit=limit)
    assert names_in(objects) == {pack_key(digest) for digest in packs}
    for content, place in zip(contents, places, strict=True):
        assert unpack(objects, packs, place, len(content)) == content


def test_nothing_written_makes_no_pack() -> None:
    objects = MemoryStore()
    assert pack_up(objects) == ({}, [])
    assert names_in(objects) == set()


def test_what_cannot_be_compressed_costs_next_to_nothing() -> None:
    packs, _ = pack_up(MemoryStore(), noise(4 * FRAME))
    assert sum(pack.size for pack in packs.values()) < 4 * FRAME + 300


def test_an_error_of_the_store_reaches_whoever_writes() -> None:
    class Broken(MemoryStore):
        def create(self, key: str, data: bytes) -> bool:
            message = "the disk is full"
            raise ObjectStoreError(message)

    with pytest.raises(ObjectStoreError, match="the disk is full"):
        pack_up(Broken(), noise(5 * FRAME), limit=FRAME)


def test_a_pack_that_is_there_since_lately_is_shared() -> None:
    objects = MemoryStore(lambda: 1000.0)
    writers = [PackWriter(objects, clock=lambda: 1000.0 + RELIABLE / 2) for _ in range(2)]
    first, second = (finished(writer) for writer in writers)
    assert first == second
    assert [info.key for info in objects.list()] == [pack_key(next(iter(first)))]


def test_a_pack_that_may_be_swept_at_any_moment_is_stored_again_elsewhere() -> None:
    objects = MemoryStore(lambda: 1000.0)
    late = 1000.0 + RELIABLE
    writers = [PackWriter(objects, clock=lambda: late) for _ in range(3)]
    packs = [finished(writer) for writer in writers]
    (digest,) = {digest for one in packs for digest in one}
    places = [one[digest].at for one in packs]
    assert places[0] == ""
    assert [place.partition("/")[0] for place in places[1:]] == ["again", "again"]
    assert len(set(places)) == 3
    objects.delete([pack_key(digest)])
    assert unpack(objects, packs[1], Place(digest, 0), 4) == b"1234"


def test_below_a_prefix_of_its_own_a_writer_just_writes() -> None:
    objects = MemoryStore(lambda: 0.0)
    packs = [finished(PackWriter(objects, home="attempts/r/a")) for _ in range(2)]
    assert packs[0] == packs[1]
    assert {pack.at for pack in packs[0].values()} == {"attempts/r/a"}


def finished(writer: PackWriter) -> dict[str, Pack]:
    with writer:
        writer.begin(4)
        writer.write(b"1234")
        return writer.finish()


def test_only_the_frames_that_are_needed_are_read_and_near_ones_together() -> None:
    objects = Counting()
    contents = [noise(FRAME, seed) for seed in range(8)]
    packs, places = pack_up(objects, *contents)
    [(digest, pack)] = packs.items()
    wanted = [places[number] for number in (1, 2, 5)]
    window = PackReader(objects, digest, pack).window([(place.offset, 10) for place in wanted])
    for place, number in zip(wanted, (1, 2, 5), strict=True):
        assert b"".join(window.read(place.offset, 10)) == contents[number][:10]
    sizes = [length for _, length in objects.reads]
    assert sizes[0] == table_size(8)
    assert [round((size or 0) / FRAME) for size in sizes[1:]] == [2, 1]


def test_a_long_run_is_read_in_portions() -> None:
    objects = Counting()
    packs, [place] = pack_up(objects, noise(10 * FRAME))
    unpack(objects, packs, place, 10 * FRAME)
    assert max(length or 0 for _, length in objects.reads) <= 4 << 20
    assert len(objects.reads) < 6


def test_a_pack_of_one_frame_takes_one_read() -> None:
    objects = Counting()
    packs, places = pack_up(objects, b"one", b"two")
    assert unpack(objects, packs, places[1], 3) == b"two"
    assert len(objects.reads) == 1


def test_a_window_also_reads_what_it_was_not_made_for() -> None:
    objects = MemoryStore()
    contents = [noise(FRAME, seed) for seed in range(3)]
    packs, places = pack_up(objects, *contents)
    [(digest, pack)] = packs.items()
    window = PackReader(objects, digest, pack).window([])
    for number in (2, 0, 1):
        assert b"".join(window.read(places[number].offset, FRAME)) == contents[number]


class TestDamage:
    """A pack that is not what its manifest says ends in `BadPack`, whatever it is instead."""

    def read(self, data: bytes, pack: Pack, span: tuple[int, int] = (0, 5)) -> bytes:
        objects = MemoryStore()
        objects.put(pack_key("ab"), data)
        return b"".join(PackReader(objects, "ab", pack).window([span]).read(*span))

    def test_a_missing_pack_is_told_as_such(self) -> None:
        with pytest.raises(ObjectMissing):
            PackReader(MemoryStore(), "ab", Pack(100, 2, 100)).window([])

    def test_a_bad_table(self) -> None:
        with pytest.raises(BadPack, match="does not end with its seek table"):
            self.read(b"\0" * 200, Pack(200, 3, 100))

    def test_a_truncated_pack(self) -> None:
        with pytest.raises(BadPack, match="cut off"):
            self.read(b"\0" * 10, Pack(200, 3, 100))

    def test_a_pack_smaller_than_its_table(self) -> None:
        with pytest.raises(BadPack, match="cut off"):
            self.read(b"\0" * 10, Pack(10, 3, 100))

    def test_a_damaged_frame(self) -> None:
        with pytest.raises(BadPack, match="frame 0 is damaged"):
            self.read(b"\0" * 100, Pack(100, 1, 50))

    def test_a_frame_that_holds_too_little(self) -> None:
        frame = compress(b"1234")
        data = frame + write_table([(len(frame), 5)])
        with pytest.raises(BadPack, match="it is too short"):
            self.read(data, Pack(len(data), 1, 5))

    def test_a_frame_that_holds_too_much(self) -> None:
        frame = compress(bytes(10_000_000))
        data = frame + write_table([(len(frame), 5)])
        with pytest.raises(BadPack, match="more than 5 bytes"):
            self.read(data, Pack(len(data), 1, 5))

    def test_a_span_behind_the_end(self) -> None:
        frame = compress(b"12345")
        data = frame + write_table([(len(frame), 5)])
        with pytest.raises(BadPack, match="it ends too early"):
            self.read(data, Pack(len(data), 1, 5), span=(3, 10))
