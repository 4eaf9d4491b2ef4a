"""Tells whoever watches a run that there is news of it; what the news is, they look up."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Subscription:
    """One watcher of one run; awaits news in the event loop it was made in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Wake the watcher, from any thread; a loop that has ended is passed over."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def wait(self, seconds: float) -> bool:
        """Wait for news, at most this long; return whether there was any."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return False
        self._news.clear()
        return True


class Feed:
    """Who watches which run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[str, set[Subscription]] = defaultdict(set)

    @contextmanager
    def watch(self, run: str) -> Iterator[Subscription]:
        """Subscribe to the news of a run for as long as the context lasts."""
        subscription = Subscription()
        with self._lock:
            self._watchers[run].add(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._watchers[run].discard(subscription)
                if not self._watchers[run]:
                    del self._watchers[run]

    def publish(self, run: str) -> None:
        """Wake all who watch a run, from any thread."""
        with self._lock:
            watchers = tuple(self._watchers.get(run, ()))
        for watcher in watchers:
            watcher.tell()
