"""The object store as a Pod may use it: what it was given addresses for, and its own prefix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Never

from runner.agent.pod.carrier import Carrier
from runner.agent.pod.multipart import Bytes, make_form
from runner.objects.base import ObjectInfo, ObjectStoreError, Upload


class PresignedStore:
    """Reads the keys that have an address in `addresses`, writes below `home` by `upload`.

    Nobody gave a Pod the right to anything else, so everything else is an `ObjectStoreError`. What
    lies in the store is never changed: objects are written once, under names that say what they
    hold. Safe from any thread.
    """

    def __init__(
        self, addresses: Mapping[str, str], upload: Upload, home: str, carrier: Carrier
    ) -> None:
        self._addresses = addresses
        self._upload = upload
        self._home = f"{home}/"
        self._carrier = carrier

    def put(self, key: str, data: Bytes) -> None:
        """Write an object below `home`, replacing what was there."""
        if not key.startswith(self._home):
            _refuse(f"write {key}, which is not below {self._home}")
        name = self._upload.prefix + key.removeprefix(self._home)
        form = make_form({"key": name, **self._upload.fields}, data)
        self._carrier.post(self._upload.url, key, form)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes, or `length` of them from `start`; raise `ObjectMissing`."""
        address = self._addresses.get(key)
        if address is None:
            _refuse(f"read {key}, for which it got no address")
        return self._carrier.get(address, key, start, length)

    def create(self, key: str, data: bytes) -> bool:
        """Raise `ObjectStoreError`: by a form, what is there is always replaced."""
        del data
        _refuse(f"write {key} only where nothing is")

    def size(self, key: str) -> int | None:
        """Raise `ObjectStoreError`: an address is for reading only."""
        _refuse(f"ask for the size of {key}")

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Raise `ObjectStoreError`."""
        _refuse(f"list what lies below {prefix or '/'}")

    def delete(self, keys: Iterable[str]) -> None:
        """Raise `ObjectStoreError`."""
        _refuse(f"remove {', '.join(keys)}")


def _refuse(what: str) -> Never:
    message = f"a Pod may not {what}"
    raise ObjectStoreError(message)
