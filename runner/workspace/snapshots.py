"""Snapshots in the object store: manifests by digest, and which of them came from which.

A manifest lies at `snapshots/<2 hex>/<digest>`, compressed; the digest is that of its canonical
bytes. What a Pod left lies under the prefix of its attempt until `adopting` has looked at it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from runner.objects.base import ObjectMissing, ObjectStore
from runner.workspace.contents import Contents
from runner.workspace.decoding import Header, decode, decode_header
from runner.workspace.errors import ManifestInvalid, SnapshotMissing
from runner.workspace.manifest import Manifest, Pack, encode
from runner.workspace.packs import PackWriter, pack_key
from runner.workspace.zstd import Undecodable, compress, decompress

# Some 700,000 files; what a manifest may decompress to must be bounded, as steps write them.
MANIFEST_LIMIT = 128 << 20
_REMEMBERED = 4
_PACKS_REMEMBERED = 256


def snapshot_key(digest: str, home: str = "") -> str:
    """Return where the manifest of a snapshot lies, at the place of all or under a prefix."""
    return f"{home}/snapshots/{digest}" if home else f"snapshots/{digest[:2]}/{digest}"


def trash_key(digest: str) -> str:
    """Return where a manifest that was swept can be had back from for a while."""
    return f"trash/{snapshot_key(digest)}"


class Snapshots:
    """The snapshots of an object store; the last few manifests are remembered. Thread-safe.

    With a `home`, a prefix of keys, everything new is written there: manifests and packs. What is
    read is read from the place of all, or from where a manifest says. `clock` tells seconds since
    the epoch, as the object store does.
    """

    def __init__(
        self, objects: ObjectStore, home: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.objects = objects
        self.home = home
        self._clock = clock
        self._lock = threading.Lock()
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._parents: dict[str, tuple[str, ...]] = {}
        self._packs: OrderedDict[str, Mapping[str, Pack]] = OrderedDict()

    def load(self, digest: str) -> Manifest:
        """Return a manifest; raise `SnapshotMissing`, `ManifestInvalid`, `ObjectStoreError`."""
        with self._lock:
            found = self._manifests.get(digest)
            if found is not None:
                self._manifests.move_to_end(digest)
                return found
        return self._remember(decode(self._read(digest)))

    def save(self, manifest: Manifest) -> str:
        """Store a manifest and return its digest; its packs must be stored already.

        Raise `ManifestInvalid` if it is too large to be read again, or `ObjectStoreError`.
        """
        raw = encode(manifest)
        if len(raw) > MANIFEST_LIMIT:
            message = (
                f"a workspace of {len(manifest.entries)} entries is too large for a snapshot;"
                " let a step pack what it leaves into fewer files"
            )
            raise ManifestInvalid(message)
        digest = hashlib.sha256(raw).hexdigest()
        vars(manifest)["digest"] = digest  # spares `cached_property` a second encoding
        self.objects.put(snapshot_key(digest, self.home), compress(raw))
        return self._remember(manifest).digest

    def writer(self) -> PackWriter:
        """Return what stores the packs of a new snapshot."""
        return PackWriter(self.objects, home=self.home, clock=self._clock)

    def contents(self, manifest: Manifest) -> Contents:
        """Return the way to the bytes of a manifest's files."""
        return Contents(self.objects, manifest)

    def parents(self, digest: str) -> tuple[str, ...]:
        """Return the snapshots that one came from directly; raises what `load` does."""
        with self._lock:
            found = self._parents.get(digest)
        return self._read_header(digest)[0] if found is None else found

    def packs(self, digest: str) -> Mapping[str, Pack]:
        """Return the packs of a snapshot by digest, its entries unread; raises what `load` does."""
        with self._lock:
            found = self._packs.get(digest)
        return self._read_header(digest)[1] if found is None else found

    def header(self, digest: str) -> Header:
        """Return the parents and the packs of a snapshot as stored, and remember neither."""
        return decode_header(self._read(digest).partition(b"\n")[0])

    def keys(self, digest: str) -> tuple[str, ...]:
        """Return the keys of all objects that a restore reads, the manifest's first.

        The last few hundred answers are remembered. Raises what `load` does.
        """
        packs = self.packs(digest).items()
        return snapshot_key(digest), *(pack_key(name, pack.at) for name, pack in packs)

    def learn(self, digest: str, header: Header) -> None:
        """Take note of the header of a snapshot that was stored otherwise."""
        with self._lock:
            self._note(digest, *header)

    def lineage(self, digests: Iterable[str]) -> frozenset[str]:
        """Return these snapshots and all that they came from; raises what `load` does."""
        found: set[str] = set()
        waiting = list(digests)
        while waiting:
            digest = waiting.pop()
            if digest not in found:
                found.add(digest)
                waiting.extend(self.parents(digest))
        return frozenset(found)

    def common_ancestors(self, some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
        """Return the nearest snapshots that both groups came from, in order.

        Those are the common ones from which no other common one came; several after merges that
        crossed. A snapshot counts among its own ancestors. Raises what `load` does.
        """
        common = self.lineage(some) & self.lineage(others)
        # What a common ancestor came from is common too, so one step back finds all that are older.
        older = {parent for digest in common for parent in self.parents(digest)}
        return tuple(sorted(common - older))

    def _read(self, digest: str) -> bytes:
        """Return the canonical bytes of a manifest, checked against its digest."""
        try:
            stored = self.objects.get(snapshot_key(digest))
        except ObjectMissing as error:
            stored = self._had_back(digest, error)
        return unpack(digest, stored)

    def _had_back(self, digest: str, error: ObjectMissing) -> bytes:
        """Return a manifest that was swept just when it was stored anew, and put it back."""
        if self.home:
            raise SnapshotMissing(digest) from error
        try:
            stored = self.objects.get(trash_key(digest))
        except ObjectMissing:
            raise SnapshotMissing(digest) from error
        self.objects.put(snapshot_key(digest), stored)
        return stored

    def _read_header(self, digest: str) -> Header:
        header = self.header(digest)
        self.learn(digest, header)
        return header

    def _remember(self, manifest: Manifest) -> Manifest:
        with self._lock:
            self._manifests[manifest.digest] = manifest
            self._manifests.move_to_end(manifest.digest)
            self._note(manifest.digest, manifest.parents, manifest.packs)
            while len(self._manifests) > _REMEMBERED:
                self._manifests.popitem(last=False)
        return manifest

    def _note(self, digest: str, parents: tuple[str, ...], packs: Mapping[str, Pack]) -> None:
        """Remember a header; the caller has the lock."""
        self._parents[digest] = parents
        self._packs[digest] = packs
        self._packs.move_to_end(digest)
        if len(self._packs) > _PACKS_REMEMBERED:
            self._packs.popitem(last=False)


def unpack(digest: str, stored: bytes) -> bytes:
    """Return the canonical bytes that the object of a manifest holds; raise `ManifestInvalid`."""
    try:
        raw = decompress(stored, MANIFEST_LIMIT)
    except Undecodable as error:
        raise ManifestInvalid(f"snapshot {digest} is damaged: {error}") from error
    if hashlib.sha256(raw).hexdigest() != digest:
        raise ManifestInvalid(f"snapshot {digest} is damaged: its bytes are not its own")
    return raw
