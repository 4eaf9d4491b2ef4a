from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.workspace import adopting
from runner.workspace.adopting import adopt
from runner.workspace.capture import Captured, capture
from runner.workspace.errors import ManifestInvalid, SnapshotMissing, SnapshotRefused
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY_DIGEST, Entry, Manifest, Pack, build, encode
from runner.workspace.restore import restore
from runner.workspace.snapshots import MANIFEST_LIMIT, Snapshots, snapshot_key
from runner.workspace.zstd import compress
from tests.runner.workspace.test_packs import Counting
from tests.runner.workspace.trees import File, later, names_in, read, snapshot_of, write

HOME = "attempts/r1/build-1"
A, B = "a" * 64, "b" * 64
OLD, NEW = File(b"old" * 100), File(b"new" * 100)


class Pod:
    """A Pod that was given a snapshot, and the server that looks at what it left."""

    def __init__(self, root: Path) -> None:
        self.objects = Counting()
        self.server = Snapshots(self.objects)
        self.root = root
        self.base = snapshot_of(root / "source", {"old": OLD}, self.server)

    def capture(self, **tree: File) -> Captured:
        """Leave a tree beside what was given; return what was captured in the Pod."""
        place = self.root / "pod"
        write(place, {"old": OLD, **tree})
        base = self.server.load(self.base.digest)
        snapshots = Snapshots(self.objects, home=HOME)
        return capture(place, base, Index(), snapshots, (base.digest,), clock=later)

    def leave(self, manifest: Manifest) -> str:
        """Put a manifest where the Pod's own would be; return its digest."""
        return Snapshots(self.objects, home=HOME).save(manifest)

    def leave_bytes(self, raw: bytes, digest: str = A) -> str:
        self.objects.put(snapshot_key(digest, HOME), raw)
        return digest

    def adopt(self, digest: str) -> None:
        adopt(self.server, digest, HOME, [self.base.digest])

    def refused(self, digest: str) -> str:
        before = names_in(self.objects)
        with pytest.raises(SnapshotRefused) as caught:
            self.adopt(digest)
        assert names_in(self.objects) == before
        assert caught.value.code == "snapshot-refused"
        return str(caught.value)


@pytest.fixture(name="pod")
def pod_fixture(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def one_file(pod: Pod, pack: str, details: Pack, *parents: str) -> Manifest:
    entry = Entry("x", size=1, digest=B, pack=pack)
    return build([entry], parents or (pod.base.digest,), {pack: details})


def test_what_a_pod_captures_lies_under_its_prefix_alone(pod: Pod) -> None:
    before = names_in(pod.objects)
    captured = pod.capture(new=NEW)
    packs = {name: pack.at for name, pack in captured.manifest.packs.items()}
    own = [name for name, at in packs.items() if at]
    assert sorted(packs.values()) == ["", HOME]
    assert names_in(pod.objects) - before == {
        f"{HOME}/packs/{own[0]}",
        f"{HOME}/snapshots/{captured.digest}",
    }


def test_what_was_adopted_is_a_snapshot_like_any_other(pod: Pod, tmp_path: Path) -> None:
    captured = pod.capture(new=NEW)
    pod.adopt(captured.digest)
    fresh = Snapshots(pod.objects)
    manifest = fresh.load(captured.digest)
    assert manifest.parents == (pod.base.digest,)
    restore(manifest, tmp_path / "next", Index(), fresh)
    assert read(tmp_path / "next") == {"old": OLD, "new": NEW}


def test_the_keys_of_a_restore_are_all_that_it_reads(pod: Pod, tmp_path: Path) -> None:
    captured = pod.capture(new=NEW)
    pod.adopt(captured.digest)
    keys = Snapshots(pod.objects).keys(captured.digest)
    only = MemoryStore()
    for key in keys:
        only.put(key, pod.objects.get(key))
    fresh = Snapshots(only)
    restore(fresh.load(captured.digest), tmp_path / "next", Index(), fresh)
    assert keys[0] == snapshot_key(captured.digest)
    assert len(keys) == 3


def test_what_was_adopted_need_not_be_read_again_to_tell_its_keys(pod: Pod) -> None:
    captured = pod.capture(new=NEW)
    pod.adopt(captured.digest)
    pod.objects.reads.clear()
    assert len(pod.server.keys(captured.digest)) == 3
    assert pod.server.parents(captured.digest) == (pod.base.digest,)
    assert pod.objects.reads == []


def test_to_adopt_twice_is_harmless(pod: Pod) -> None:
    captured = pod.capture(new=NEW)
    pod.adopt(captured.digest)
    pod.adopt(captured.digest)
    assert pod.server.load(captured.digest) == captured.manifest


def test_what_was_given_is_a_good_answer_and_costs_nothing(pod: Pod) -> None:
    assert pod.capture().digest == pod.base.digest
    pod.objects.reads.clear()
    pod.adopt(pod.base.digest)
    assert pod.objects.reads == []


def test_a_workspace_without_anything_in_it_is_adopted_too(pod: Pod) -> None:
    digest = pod.leave(build([], (pod.base.digest,), {}))
    pod.adopt(digest)
    assert pod.server.keys(digest) == (snapshot_key(digest),)


def test_a_pack_of_somebody_else_is_refused(pod: Pod) -> None:
    digest = pod.leave(one_file(pod, A, Pack(10, 1, 10, "attempts/r2/build-1")))
    assert f"the pack {A} below attempts/r2/build-1 was not given" in pod.refused(digest)


def test_a_pack_in_the_place_of_all_that_was_not_given_is_refused(pod: Pod) -> None:
    digest = pod.leave(one_file(pod, A, Pack(10, 1, 10)))
    assert f"the pack {A} in the place of all packs was not given" in pod.refused(digest)


@pytest.mark.parametrize(
    "change",
    [
        lambda pack: Pack(pack.size + 1, pack.frames, pack.length),
        lambda pack: Pack(pack.size, pack.frames + 1, pack.length),
        lambda pack: Pack(pack.size, pack.frames, pack.length + 1),
        lambda pack: Pack(pack.size, pack.frames, pack.length, "attempts/r2/build-1"),
        lambda pack: Pack(pack.size, pack.frames, pack.length, f"{HOME}0"),
    ],
    ids=["size", "frames", "length", "place", "place like its own"],
)
def test_a_pack_that_was_given_must_be_as_it_was(pod: Pod, change: Callable[[Pack], Pack]) -> None:
    ((name, pack),) = pod.base.manifest.packs.items()
    assert "was not given" in pod.refused(pod.leave(one_file(pod, name, change(pack))))


@pytest.mark.parametrize("parents", [(), (A,), ("", A)])
def test_what_came_from_something_else_is_refused(pod: Pod, parents: tuple[str, ...]) -> None:
    given = tuple(parent or pod.base.digest for parent in parents)
    digest = pod.leave(build([], given, {}))
    assert "did not come from the snapshot that the step was given" in pod.refused(digest)


def test_a_manifest_under_the_digest_of_another_is_refused(pod: Pod) -> None:
    raw = encode(build([], (pod.base.digest,), {}))
    with pytest.raises(ManifestInvalid, match="its bytes are not its own"):
        pod.adopt(pod.leave_bytes(compress(raw)))


def test_bytes_that_are_no_zstd_frame_are_refused(pod: Pod) -> None:
    with pytest.raises(ManifestInvalid, match="is damaged"):
        pod.adopt(pod.leave_bytes(b"{}"))


def test_a_bomb_is_refused(pod: Pod) -> None:
    with pytest.raises(ManifestInvalid, match=f"more than {MANIFEST_LIMIT} bytes"):
        pod.adopt(pod.leave_bytes(compress(bytes(MANIFEST_LIMIT + 1))))


class Endless(MemoryStore):
    """A store whose objects have whatever length is asked for."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        assert key.startswith(HOME)
        assert length is not None
        return bytes(length)


def test_an_object_that_is_too_large_is_not_even_unpacked() -> None:
    with pytest.raises(SnapshotRefused, match="its manifest is larger than 128 MiB"):
        adopt(Snapshots(Endless()), A, HOME, [B])


def test_a_header_that_is_too_large_is_refused(pod: Pod) -> None:
    header = {"format": 1, "parents": [pod.base.digest] * (adopting.HEADER_LIMIT // 67)}
    raw = json.dumps(header | {"packs": []}).encode() + b"\n[]\n"
    digest = hashlib.sha256(raw).hexdigest()
    assert "its header is larger than 8 MiB" in pod.refused(pod.leave_bytes(compress(raw), digest))


def test_a_header_that_is_none_is_refused(pod: Pod) -> None:
    raw = b"{}"
    with pytest.raises(ManifestInvalid, match="header is not that of a manifest"):
        pod.adopt(pod.leave_bytes(compress(raw), hashlib.sha256(raw).hexdigest()))


@pytest.mark.parametrize("digest", ["", "../../x", "A" * 64, "a" * 65, "\n" * 64])
def test_what_is_no_digest_is_refused(pod: Pod, digest: str) -> None:
    assert "no SHA-256 digest" in pod.refused(digest)


def test_a_manifest_that_is_not_there(pod: Pod) -> None:
    with pytest.raises(SnapshotMissing, match=A):
        pod.adopt(A)


def test_entries_that_lie_are_refused_by_whoever_loads_them(pod: Pod) -> None:
    entry = Entry("../x", digest=EMPTY_DIGEST)
    digest = pod.leave(build([entry], (pod.base.digest,), {}))
    pod.adopt(digest)
    with pytest.raises(ManifestInvalid, match="segment"):
        Snapshots(pod.objects).load(digest)


class Away(MemoryStore):
    """A store that cannot be reached."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        message = f"no way to {key}"
        raise ObjectStoreError(message)


def test_a_store_that_is_away_is_no_fault_of_the_pod() -> None:
    with pytest.raises(ObjectStoreError, match="no way to"):
        adopt(Snapshots(Away()), A, HOME, [B])
