"""What is tried at a store before anything is trusted to it, so that a wrong setting tells early."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable

from runner.objects.base import ObjectMissing, ObjectStore
from runner.objects.s3_errors import StoreDenied, StoreForeign, StoreReadOnly, StoreUnconditional

PLACE = "check"
"""Below it lie, for a moment, the objects that a check writes."""


def check(store: ObjectStore, where: str) -> None:
    """List, write, read and delete an object; raise what says why the store cannot be used.

    `where` begins the messages.
    """
    key = f"{PLACE}/{secrets.token_hex(8)}"
    data = secrets.token_bytes(16)
    # One item of the listing is enough: whoever may not list fails before it.
    list(itertools.islice(store.list(f"{PLACE}/"), 1))
    try:
        written = store.create(key, data)
    except StoreDenied as error:
        raise StoreReadOnly(where, error.told) from error
    if not written or _read(store, key) != data:
        raise StoreForeign(where, "an object that was just written is not there")
    if store.create(key, data):
        raise StoreUnconditional(where)
    store.delete([key])
    if store.size(key) is not None:
        raise StoreForeign(where, "an object that was just removed is still there")


def resolves_dots(
    store: ObjectStore, write: Callable[[str], bool], remove: Callable[[str], None]
) -> bool:
    """Say whether the server takes `a/../b` for `b`, as if keys were paths.

    Then a permission to write below a prefix is one to write everywhere. `write` and `remove` take
    any name as it is; `write` says whether the server took it.
    """
    name = secrets.token_hex(8)
    detour, target = f"{PLACE}/{name}/../{name}-moved", f"{PLACE}/{name}-moved"
    if not write(detour):
        return False
    moved = store.size(target) is not None
    remove(target if moved else detour)
    return moved


def _read(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key)
    except ObjectMissing:
        return None
