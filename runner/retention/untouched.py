"""An object store that is only looked at: what a sweep that shall remove nothing is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.objects.base import ObjectInfo, ObjectStore


class Untouched:
    """Reads from another store, and takes every write for done."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, key: str, data: bytes) -> None:
        """Write nothing."""

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - as the protocol has it
        """Write nothing; return whether there is no such object."""
        return self.size(key) is None

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return what the other store holds."""
        return self._store.get(key, start, length)

    def size(self, key: str) -> int | None:
        """Return the size that the other store tells."""
        return self._store.size(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield what the other store lists."""
        return self._store.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove nothing."""
