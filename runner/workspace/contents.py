"""Reads the files of a snapshot out of its packs, and trusts none of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runner.objects.base import ObjectMissing, ObjectStore
from runner.workspace.errors import PackDamaged, PackMissing
from runner.workspace.manifest import Entry, Manifest
from runner.workspace.packs import BadPack, PackReader, PackWindow


class Contents:
    """The bytes of a manifest's files; safe from any thread, and cheap in the order of packs."""

    def __init__(self, objects: ObjectStore, manifest: Manifest) -> None:
        self._manifest = manifest
        self._readers = {
            digest: PackReader(objects, digest, pack) for digest, pack in manifest.packs.items()
        }

    def read(self, entry: Entry) -> Iterator[bytes]:
        """Yield the bytes of one file in parts of at most 1 MiB.

        Raise `PackMissing`, `PackDamaged` (also at the end, if they are not those of its digest),
        or `ObjectStoreError`.
        """
        return next(iter(self.read_all([entry])))[1]

    def read_all(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield files of one pack, each with its bytes, which must be read before going on.

        It is cheapest if they are in the order of their offsets. Raises what `read` does.
        """
        window: PackWindow | None = None
        for entry in entries:
            if window is None and entry.pack:
                with self._blaming(entry, entry.pack):
                    window = self._readers[entry.pack].window(
                        [self._span(other) for other in entries if other.pack]
                    )
            yield entry, self._checked(entry, window)

    def _checked(self, entry: Entry, window: PackWindow | None) -> Iterator[bytes]:
        """Yield a file's bytes; raise `PackDamaged` at their end if they are not its own."""
        digest = hashlib.sha256()
        for part in self._parts(entry, window):
            digest.update(part)
            yield part
        if digest.hexdigest() != entry.digest:
            raise self._damaged("the bytes are not those that were stored", entry, entry.pack)

    def _parts(self, entry: Entry, window: PackWindow | None) -> Iterator[bytes]:
        offset, length = self._span(entry)
        missing = entry.size - length
        if window is not None:
            with self._blaming(entry, entry.pack):
                yield from window.read(offset, length)
        for pack in entry.rest:
            length = min(missing, self._manifest.packs[pack].length)
            missing -= length
            with self._blaming(entry, pack):
                yield from self._readers[pack].window([(0, length)]).read(0, length)

    def _span(self, entry: Entry) -> tuple[int, int]:
        """Return the offset and length of what lies in the file's first pack."""
        if not entry.pack:
            return 0, 0
        return entry.offset, min(entry.size, self._manifest.packs[entry.pack].length - entry.offset)

    @contextmanager
    def _blaming(self, entry: Entry, pack: str) -> Iterator[None]:
        try:
            yield
        except ObjectMissing as error:
            message = "a pack is not in the object store"
            raise PackMissing(
                message, snapshot=self._manifest.digest, pack=pack, path=entry.path
            ) from error
        except BadPack as error:
            raise self._damaged(str(error), entry, pack) from error

    def _damaged(self, what: str, entry: Entry, pack: str) -> PackDamaged:
        message = f"a pack is damaged: {what}"
        return PackDamaged(message, snapshot=self._manifest.digest, pack=pack, path=entry.path)
