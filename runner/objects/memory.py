"""An object store in memory: what tests and dry runs use in place of a folder or S3."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from runner.objects.base import ObjectInfo, ObjectMissing, check_key


class MemoryStore:
    """Objects that live as long as this value; `clock` gives the seconds a listing shows."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, float]] = {}

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        with self._lock:
            self._objects[check_key(key)] = (bytes(data), self._clock())

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only where there is none; return whether it was written."""
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self._objects[key] = (bytes(data), self._clock())
            return True

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes from `start`; past its end there are none."""
        with self._lock:
            found = self._objects.get(check_key(key))
        if found is None:
            raise ObjectMissing(key)
        return found[0][start : None if length is None else start + length]

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""
        with self._lock:
            found = self._objects.get(check_key(key))
        return None if found is None else len(found[0])

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
        with self._lock:
            objects = sorted(self._objects.items())
        for key, (data, modified) in objects:
            if key.startswith(prefix):
                yield ObjectInfo(key, len(data), modified)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for key in keys:
            with self._lock:
                self._objects.pop(check_key(key), None)
