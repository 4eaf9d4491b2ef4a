"""Takes the snapshots that Pods leave into the place of all snapshots, and believes none of them.

A Pod may write under the prefix of its attempt only, and whoever controls the step controls what
lies there. What it left is one more snapshot of the run only if it is what its digest says, came
from what the attempt was given, and has its bytes in packs that the attempt wrote or was given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from runner.objects.base import ObjectMissing
from runner.workspace.decoding import decode_header
from runner.workspace.errors import SnapshotMissing, SnapshotRefused
from runner.workspace.manifest import Pack
from runner.workspace.snapshots import MANIFEST_LIMIT, Snapshots, snapshot_key, unpack

# Some 40,000 packs: every one of them takes a presigned URL in the order of the next step.
HEADER_LIMIT = 8 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}")


def adopt(snapshots: Snapshots, digest: str, home: str, allowed: Collection[str]) -> None:
    """Store the manifest that lies under the prefix `home` where every manifest is looked for.

    `allowed` are the snapshots that the attempt was given: the only ones that it may have come
    from, or share packs with. One of them is a good answer itself, and costs nothing. Only the
    header is read here; that the entries keep the rules is checked by whoever loads them.

    Raise `SnapshotRefused`, `SnapshotMissing`, `ManifestInvalid` or `ObjectStoreError`.
    """
    if not _DIGEST.fullmatch(digest):
        raise SnapshotRefused(digest[:80], "that is no SHA-256 digest")
    if digest in allowed:
        return
    stored = _read(snapshots, digest, home)
    head = unpack(digest, stored).partition(b"\n")[0]
    if len(head) > HEADER_LIMIT:
        raise SnapshotRefused(digest, f"its header is larger than {HEADER_LIMIT >> 20} MiB")
    header = parents, packs = decode_header(head)
    if not parents or not set(parents) <= set(allowed):
        raise SnapshotRefused(digest, "it did not come from the snapshot that the step was given")
    _check_packs(snapshots, digest, home, packs, allowed)
    snapshots.objects.put(snapshot_key(digest), stored)
    snapshots.learn(digest, header)


def _read(snapshots: Snapshots, digest: str, home: str) -> bytes:
    """Return the object under the prefix, which must not be larger than what it may hold."""
    try:
        stored = snapshots.objects.get(snapshot_key(digest, home), 0, MANIFEST_LIMIT + 1)
    except ObjectMissing as error:
        raise SnapshotMissing(digest) from error
    if len(stored) > MANIFEST_LIMIT:
        raise SnapshotRefused(digest, f"its manifest is larger than {MANIFEST_LIMIT >> 20} MiB")
    return stored


def _check_packs(
    snapshots: Snapshots,
    digest: str,
    home: str,
    packs: Mapping[str, Pack],
    allowed: Collection[str],
) -> None:
    """Raise `SnapshotRefused` for a pack that is neither the attempt's own nor was given to it."""
    foreign = {name: pack for name, pack in packs.items() if pack.at != home}
    if not foreign:
        return
    given = [snapshots.packs(other) for other in allowed]
    for name, pack in foreign.items():
        if all(known.get(name) != pack for known in given):
            place = f"below {pack.at}" if pack.at else "in the place of all packs"
            raise SnapshotRefused(digest, f"the pack {name} {place} was not given to the step")
