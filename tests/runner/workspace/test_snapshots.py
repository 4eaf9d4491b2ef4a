from __future__ import annotations

import pytest

from runner.workspace.errors import ManifestInvalid, SnapshotMissing
from runner.workspace.manifest import EMPTY, EMPTY_DIGEST, Entry, Manifest, Pack, build, encode
from runner.workspace.snapshots import MANIFEST_LIMIT, Snapshots, snapshot_key, trash_key
from runner.workspace.zstd import compress
from tests.runner.workspace.test_packs import Counting
from tests.runner.workspace.trees import names_in, store


class Family:
    """Snapshots that differ in nothing but their name, saved with their parents."""

    def __init__(self) -> None:
        self.snapshots = store()
        self.names: dict[str, str] = {}

    def add(self, name: str, *parents: str) -> None:
        digests = tuple(self.digest(parent) for parent in parents)
        manifest = build([Entry(name, digest=EMPTY_DIGEST)], digests, {})
        self.names[self.snapshots.save(manifest)] = name

    def digest(self, name: str) -> str:
        return next(digest for digest, other in self.names.items() if other == name)

    def common(self, some: str, other: str) -> str:
        found = self.snapshots.common_ancestors(
            [self.digest(name) for name in some], [self.digest(other)]
        )
        assert list(found) == sorted(found)
        return "".join(sorted(self.names[digest] for digest in found))


def family(**parents: str) -> Family:
    made = Family()
    for name, names in parents.items():
        made.add(name, *names)
    return made


def test_a_saved_manifest_can_be_loaded_by_whoever_comes() -> None:
    snapshots = store()
    manifest = build([Entry("a", digest=EMPTY_DIGEST)], ("0" * 64,), {})
    digest = snapshots.save(manifest)
    assert digest == manifest.digest
    assert names_in(snapshots.objects) == {f"snapshots/{digest[:2]}/{digest}"}
    assert Snapshots(snapshots.objects).load(digest) == manifest


def test_what_was_swept_just_now_can_be_had_back() -> None:
    snapshots = store()
    manifest = build([Entry("a", digest=EMPTY_DIGEST)], (), {})
    digest = snapshots.save(manifest)
    objects = snapshots.objects
    objects.put(trash_key(digest), objects.get(snapshot_key(digest)))
    objects.delete([snapshot_key(digest)])
    assert Snapshots(objects).load(digest) == manifest
    assert snapshot_key(digest) in names_in(objects)


def test_nobody_looks_for_it_who_may_not_put_it_back() -> None:
    snapshots = store()
    digest = snapshots.save(EMPTY)
    snapshots.objects.put(trash_key(digest), snapshots.objects.get(snapshot_key(digest)))
    snapshots.objects.delete([snapshot_key(digest)])
    with pytest.raises(SnapshotMissing, match=digest):
        Snapshots(snapshots.objects, home="attempts/r/a").load(digest)


def test_a_header_is_read_without_remembering_it() -> None:
    snapshots = Snapshots(Counting())
    digest = snapshots.save(build([Entry("a", digest=EMPTY_DIGEST)], ("0" * 64,), {}))
    assert isinstance(snapshots.objects, Counting)
    before = len(snapshots.objects.reads)
    assert [snapshots.header(digest) for _ in range(2)] == [(("0" * 64,), {})] * 2
    assert len(snapshots.objects.reads) == before + 2


def test_the_empty_manifest_is_one_too() -> None:
    snapshots = store()
    assert Snapshots(snapshots.objects).load(snapshots.save(EMPTY)) == EMPTY


def test_the_last_few_manifests_are_not_read_again() -> None:
    objects = Counting()
    snapshots = Snapshots(objects)
    digests = [
        snapshots.save(build([Entry(str(number), digest=EMPTY_DIGEST)], (), {}))
        for number in range(6)
    ]
    for digest in digests[2:] * 2:
        snapshots.load(digest)
    assert objects.reads == []
    snapshots.load(digests[0])
    assert len(objects.reads) == 1
    snapshots.load(digests[5])
    assert len(objects.reads) == 1


def test_a_missing_snapshot_is_named() -> None:
    with pytest.raises(
        SnapshotMissing, match=f"snapshot {'0' * 64} is not in the object"
    ) as caught:
        store().load("0" * 64)
    assert caught.value.digest == "0" * 64


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"junk", "is damaged"),
        (compress(encode(EMPTY))[:-1], "is damaged: it ends too early"),
        (compress(encode(EMPTY)), "is damaged: its bytes are not its own"),
        (compress(bytes(MANIFEST_LIMIT + 1)), "is damaged: it holds more than"),
    ],
)
def test_a_damaged_snapshot_is_named(stored: bytes, why: str) -> None:
    snapshots = store()
    digest = "1" * 64
    snapshots.objects.put(snapshot_key(digest), stored)
    with pytest.raises(ManifestInvalid, match=f"snapshot {digest} {why}"):
        snapshots.load(digest)
    with pytest.raises(ManifestInvalid, match=f"snapshot {digest} {why}"):
        snapshots.parents(digest)


def test_a_manifest_that_could_not_be_read_again_is_not_stored() -> None:
    snapshots = store()
    name = "x" * (MANIFEST_LIMIT // 2 + 1)
    huge = Manifest({path: Entry(path, digest=EMPTY_DIGEST) for path in (name, name + "y")})
    with pytest.raises(ManifestInvalid, match="2 entries is too large for a snapshot"):
        snapshots.save(huge)
    assert names_in(snapshots.objects) == set()


def test_parents_are_known_without_the_entries() -> None:
    made = family(a="", b="a")
    fresh = Snapshots(made.snapshots.objects)
    assert fresh.parents(made.digest("b")) == (made.digest("a"),)
    made.snapshots.objects.delete([snapshot_key(made.digest("b"))])
    assert fresh.parents(made.digest("b")) == (made.digest("a"),)


def test_the_lineage_holds_all_ancestors_and_oneself() -> None:
    made = family(a="", b="a", c="a", d="bc", e="")
    lineage = made.snapshots.lineage([made.digest("d")])
    assert {made.names[digest] for digest in lineage} == set("abcd")
    assert made.snapshots.lineage([]) == frozenset()


@pytest.mark.parametrize(
    ("parents", "some", "other", "common"),
    [
        ({"a": "", "b": "a", "c": "a"}, "b", "c", "a"),
        ({"a": "", "b": "a", "c": "b"}, "b", "c", "b"),
        ({"a": "", "b": "a", "c": "b"}, "c", "b", "b"),
        ({"a": "", "b": "a"}, "b", "b", "b"),
        ({"a": "", "b": ""}, "a", "b", ""),
        ({"a": "", "b": "a", "c": "b", "d": "a"}, "c", "d", "a"),
        # merges that crossed: neither of b and c came from the other
        ({"a": "", "b": "a", "c": "a", "d": "bc", "e": "bc", "f": "d"}, "f", "e", "bc"),
        # a short way to an old ancestor does not make it near
        ({"a": "", "b": "a", "c": "ab", "d": "ab"}, "c", "d", "b"),
        # of several on one side, each adds what it came from
        ({"a": "", "b": "a", "c": "a", "d": "b", "e": "c", "f": "bc"}, "de", "f", "bc"),
        ({"a": "", "b": "a", "c": "a", "d": "b"}, "cd", "d", "d"),
    ],
)
def test_common_ancestors_are_the_nearest(
    parents: dict[str, str], some: str, other: str, common: str
) -> None:
    assert family(**parents).common(some, other) == common


def test_a_lineage_with_a_gap_is_told() -> None:
    made = family(a="", b="a", c="b")
    made.snapshots.objects.delete([snapshot_key(made.digest("b"))])
    with pytest.raises(SnapshotMissing, match=made.digest("b")):
        Snapshots(made.snapshots.objects).lineage([made.digest("c")])


def test_the_header_is_enough_to_tell_the_keys_and_is_read_once() -> None:
    objects = Counting()
    packs = {"a" * 64: Pack(9, 1, 9), "b" * 64: Pack(9, 1, 9, "attempts/r/s-1")}
    entry = Entry("f", size=18, digest="c" * 64, pack="a" * 64, rest=("b" * 64,))
    digest = Snapshots(objects).save(build([entry], (), packs))
    reader = Snapshots(objects)
    assert reader.keys(digest) == (
        snapshot_key(digest),
        f"packs/aa/{'a' * 64}",
        f"attempts/r/s-1/packs/{'b' * 64}",
    )
    assert reader.packs(digest) == packs
    assert reader.parents(digest) == ()
    assert len(objects.reads) == 1


def test_the_packs_of_many_snapshots_are_remembered_but_not_of_all() -> None:
    objects = Counting()
    snapshots = Snapshots(objects)
    digests = [
        snapshots.save(build([Entry(str(number), digest=EMPTY_DIGEST)], (), {}))
        for number in range(300)
    ]
    for digest in digests[-256:]:
        snapshots.keys(digest)
    assert objects.reads == []
    snapshots.keys(digests[0])
    assert len(objects.reads) == 1


def test_a_home_is_written_to_and_what_is_older_read_from_the_place_of_all() -> None:
    objects = Counting()
    old = Snapshots(objects).save(EMPTY)
    snapshots = Snapshots(objects, home="attempts/r/s-1")
    digest = snapshots.save(build([Entry("a", digest=EMPTY_DIGEST)], (old,), {}))
    assert names_in(objects) == {snapshot_key(old), f"attempts/r/s-1/snapshots/{digest}"}
    assert snapshots.load(old) == EMPTY
    assert snapshots.load(digest).parents == (old,)
