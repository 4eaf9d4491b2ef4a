"""Why a workspace cannot be captured, stored, merged or restored.

WorkspaceError
├── ManifestInvalid    a manifest breaks the rules, or its bytes do not match its digest
├── SnapshotMissing    the object store has no manifest under this digest
├── SnapshotRefused    what a Pod says that it left names what is not its own, or is too large
├── PackMissing        a pack that a snapshot needs is not in the object store
├── PackDamaged        a pack does not hold the bytes that a snapshot expects in it
├── SourceIncomplete   git did not give the bytes of an object that a tree names
├── Unreadable         a part of the working directory cannot be read
├── Unwritable         a part of the working directory cannot be made as the snapshot has it
└── NamesClash         two paths are one name to the file system of the working directory
"""

from __future__ import annotations


class WorkspaceError(Exception):
    """The root of what this package raises; `code` is stable and documented."""

    code = "workspace"


class ManifestInvalid(WorkspaceError):
    """A manifest breaks the rules; the message names the first one it breaks."""

    code = "manifest-invalid"


class SnapshotMissing(WorkspaceError):
    """The object store has no manifest under this digest."""

    code = "snapshot-missing"

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(
            f"snapshot {digest} is not in the object store;"
            " if its retention has ended, start the run anew"
        )


class SnapshotRefused(WorkspaceError):
    """What a Pod says that it left is not taken; the message says what is wrong with it."""

    code = "snapshot-refused"

    def __init__(self, digest: str, why: str) -> None:
        self.digest = digest
        super().__init__(f"the workspace that the step left, snapshot {digest}, is refused: {why}")


class SourceIncomplete(WorkspaceError):
    """Git did not give the bytes of an object that a tree names."""

    code = "source-incomplete"

    def __init__(self, oid: str, path: str) -> None:
        self.oid = oid
        self.path = path
        super().__init__(f"git has not given the object {oid}, which is {path!r}; fetch it again")


class _PackError(WorkspaceError):
    """Something is wrong with a pack; the message names snapshot, pack and path."""

    def __init__(self, what: str, *, snapshot: str, pack: str, path: str) -> None:
        self.snapshot = snapshot
        self.pack = pack
        self.path = path
        super().__init__(f"{what}: pack {pack}, needed for {path!r} of snapshot {snapshot}")


class PackMissing(_PackError):
    """A pack that a snapshot needs is not in the object store."""

    code = "pack-missing"


class PackDamaged(_PackError):
    """A pack does not hold the bytes that a snapshot expects in it."""

    code = "pack-damaged"


class _PlaceError(WorkspaceError):
    """Something is wrong with a place in the working directory; `path` is relative to it.

    `errno` is what the system gave for a reason.
    """

    def __init__(self, what: str, path: str, error: OSError) -> None:
        self.path = path
        self.errno = error.errno
        place = repr(path) if path else "the working directory"
        super().__init__(f"cannot {what} {place}: {error.strerror or error}")


class Unreadable(_PlaceError):
    """A part of the working directory cannot be read."""

    code = "workspace-unreadable"


class Unwritable(_PlaceError):
    """A part of the working directory cannot be made as the snapshot has it."""

    code = "workspace-unwritable"


class NamesClash(WorkspaceError):
    """Two paths are one name to the file system of the working directory."""

    code = "names-clash"
