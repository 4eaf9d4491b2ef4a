"""Snapshots in the object store: manifests by digest, and which of them came from which.

A manifest lies at `snapshots/<2 hex>/<digest>`, compressed; the digest is that of its canonical
bytes.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable

from runner.objects.base import ObjectMissing, ObjectStore
from runner.workspace.contents import Contents
from runner.workspace.decoding import decode, decode_header
from runner.workspace.errors import ManifestInvalid, SnapshotMissing
from runner.workspace.manifest import Manifest, encode
from runner.workspace.zstd import Undecodable, compress, decompress

# Some 700,000 files; what a manifest may decompress to must be bounded, as steps write them.
MANIFEST_LIMIT = 128 << 20
_REMEMBERED = 4


def snapshot_key(digest: str) -> str:
    """Return where the manifest of a snapshot lies in the object store."""
    return f"snapshots/{digest[:2]}/{digest}"


class Snapshots:
    """The snapshots of an object store; the last few manifests are remembered. Thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects
        self._lock = threading.Lock()
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._parents: dict[str, tuple[str, ...]] = {}

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
        self.objects.put(snapshot_key(digest), compress(raw))
        return self._remember(manifest).digest

    def contents(self, manifest: Manifest) -> Contents:
        """Return the way to the bytes of a manifest's files."""
        return Contents(self.objects, manifest)

    def parents(self, digest: str) -> tuple[str, ...]:
        """Return the snapshots that one came from directly; raises what `load` does."""
        with self._lock:
            found = self._parents.get(digest)
        if found is None:
            head = self._read(digest).partition(b"\n")[0]
            found = decode_header(head)[0]
            with self._lock:
                self._parents[digest] = found
        return found

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
            raise SnapshotMissing(digest) from error
        try:
            raw = decompress(stored, MANIFEST_LIMIT)
        except Undecodable as error:
            raise ManifestInvalid(f"snapshot {digest} is damaged: {error}") from error
        if hashlib.sha256(raw).hexdigest() != digest:
            raise ManifestInvalid(f"snapshot {digest} is damaged: its bytes are not its own")
        return raw

    def _remember(self, manifest: Manifest) -> Manifest:
        with self._lock:
            self._manifests[manifest.digest] = manifest
            self._manifests.move_to_end(manifest.digest)
            self._parents[manifest.digest] = manifest.parents
            while len(self._manifests) > _REMEMBERED:
                self._manifests.popitem(last=False)
        return manifest
