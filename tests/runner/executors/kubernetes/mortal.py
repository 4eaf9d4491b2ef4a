"""A server that dies: at its so-manieth effect on the world, just before or just after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runner.kube.errors import Unreachable

_EFFECTS = frozenset(
    {
        *("create_pod", "delete_pod", "patch_annotations", "create_secret", "delete_secret"),
        *("put", "create", "delete", "delete_secrets"),
    }
)


class Dead(Unreachable):
    """Nothing is done any more, neither for the cluster nor for the store."""


@dataclass
class Fate:
    """When a server dies: at effect number `at`, counted from 0; `done` says if it still happens."""

    at: int
    done: bool
    effects: list[str] = field(default_factory=list)
    dead: threading.Event = field(default_factory=threading.Event)

    def bind(self, thing: Any) -> Any:
        """Return a stand-in for something, which is in the hands of this fate."""
        return _Bound(thing, self)

    def act(self, name: str, work: Callable[[], Any]) -> Any:
        """Do something, unless it is over."""
        if name == "close":
            return work()
        if self.dead.is_set():
            raise Dead(name)
        if name not in _EFFECTS:
            return work()
        self.effects.append(name)
        if len(self.effects) - 1 == self.at:
            self.dead.set()
            if self.done:
                work()
            raise Dead(name)
        return work()


class _Bound:
    def __init__(self, thing: Any, fate: Fate) -> None:
        self._thing = thing
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if not callable(found):
            return found
        return lambda *given, **named: self._fate.act(name, lambda: found(*given, **named))
