"""One watch for all Pods of an instance: what is true of them now, without asking for each.

A list tells what is there, a watch what happens after it, and a list every ten minutes makes up
for what a watch may miss. Consumers are told *that* a Pod changed, never how: they look at what is
here, so that a change told twice, late or together with others makes no difference.

A list is read from a quorum (no `resourceVersion`), so a Pod that is not in it is gone; the watch
resumes from the `resourceVersion` of the last thing heard, bookmarks and deletions included, as
kubernetes.io/docs/reference/using-api/api-concepts/ asks.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from runner.clock import Clock, SystemClock
from runner.kube.backoff import Backoff, Jitter
from runner.kube.client import Json, PodList
from runner.kube.errors import Gone, KubeError, Silence

RELIST_EVERY = 600.0
DOUBT = 15.0
"""Seconds after which a Pod that was created, but never heard of, is looked for in a new list."""

LEAST_WATCH = 1.0
_REMEMBERED = 2000

log = logging.getLogger(__name__)


class Watching(AbstractContextManager["Watching"], Protocol):
    """A watch that is open; see `runner.kube.client.Watch`."""

    def __iter__(self) -> Iterator[Json]:
        """Yield events until it ends."""

    def abort(self) -> None:
        """End it, from any thread."""


class PodSource(Protocol):
    """Where Pods are listed and watched: `KubeClient`, and in tests something in memory."""

    def list_pods(self, selector: str) -> PodList:
        """Return all Pods."""

    def watch_pods(self, selector: str, version: str, *, timeout: float) -> Watching:
        """Return what happens after a version."""


class Reflector:
    """The Pods that a selector matches, as they are now. Everything in it is thread-safe.

    `on_change` is called with a Pod's name, from the reflector's thread, after the change can be
    seen here; it should hand over and return.
    """

    def __init__(
        self,
        source: PodSource,
        selector: str,
        on_change: Callable[[str], object],
        *,
        clock: Clock | None = None,
        jitter: Jitter = random.random,
    ) -> None:
        self.synced = threading.Event()
        """Set once a first list was seen."""
        self.trouble = ""
        """What keeps it from hearing more, empty if nothing does."""
        self._source = source
        self._selector = selector
        self._on_change = on_change
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._backoff = Backoff(0.5, 30.0, jitter)
        self._guard = threading.Lock()
        self._pods: dict[str, Json] = {}
        self._expected: dict[str, float] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._version: str | None = None
        self._listed_at = -math.inf
        self._heard_at = -math.inf
        self._events = 0
        self._watching: Watching | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hookline-pods", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *ending: object) -> None:
        self.close()

    @property
    def pods(self) -> Mapping[str, Json]:
        """All Pods by their names; what it holds is not to be changed."""
        with self._guard:
            return dict(self._pods)

    def get(self, name: str) -> Json | None:
        """Return a Pod, None if there is none; not to be changed."""
        with self._guard:
            return self._pods.get(name)

    def age(self) -> float:
        """Return the seconds since anything was heard of the cluster; infinite before the first."""
        with self._guard:
            return self._clock.monotonic() - self._heard_at

    def expect(self, pod: Json) -> None:
        """Show a Pod that was just created, as the server answered, before it is heard of.

        A list that was asked for before does not hide it again. One that is known already, or
        whose end was heard before the answer came, is left as it is.
        """
        name, uid = pod["metadata"]["name"], _uid(pod)
        with self._guard:
            known = self._pods.get(name)
            if uid in self._gone or (known is not None and _uid(known) == uid):
                return
            self._pods[name] = _slim(pod)
            self._expected[name] = self._clock.monotonic()

    def start(self) -> None:
        """Begin to list and watch, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop, at the latest when the request under way has timed out."""
        self._closing.set()
        with self._guard:
            watching = self._watching
        if watching is not None:
            watching.abort()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def cycle(self) -> float:
        """List if that is due, watch until the watch ends; return the seconds to wait after it."""
        began = self._clock.monotonic()
        events = self._events
        try:
            if self._list_is_due():
                self._list()
            self._watch()
        except KubeError as error:
            return self._after(error, self._events > events)
        self.trouble = ""
        if self._events > events or self._clock.monotonic() - began >= LEAST_WATCH:
            self._backoff.reset()
            return 0.0
        return self._backoff.next()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                pause = self.cycle()
            except Exception:
                log.exception("the watch of the Pods tripped; it begins anew")
                self._version = None
                pause = self._backoff.next()
            self._closing.wait(pause)

    def _after(self, error: KubeError, heard: bool) -> float:
        """Note why a cycle ended early, and return how long to wait."""
        if heard:
            self._backoff.reset()
        if isinstance(error, Silence):
            return 0.0
        if isinstance(error, Gone):
            self._version = None
        elif not self._closing.is_set() and self.trouble != str(error):
            self.trouble = str(error)
            log.warning("the Pods cannot be watched, which is tried again: %s", error)
        return self._backoff.next(error.retry_after)

    def _list_is_due(self) -> bool:
        now = self._clock.monotonic()
        with self._guard:
            doubtful = any(now - at > DOUBT for at in self._expected.values())
        return self._version is None or doubtful or now - self._listed_at > RELIST_EVERY

    def _list(self) -> None:
        began = self._clock.monotonic()
        found = self._source.list_pods(self._selector)
        pods = {pod["metadata"]["name"]: _slim(pod) for pod in found.pods}
        with self._guard:
            young = {name for name, at in self._expected.items() if at >= began} - set(pods)
            self._expected = {name: self._expected[name] for name in young}
            kept = {name: self._pods[name] for name in young}
            before, self._pods = self._pods, {**pods, **kept}
            for name in set(before) - set(self._pods):
                self._bury(before[name])
            names = [
                name for name in {**before, **pods} if before.get(name) != self._pods.get(name)
            ]
            self._listed_at = self._heard_at = self._clock.monotonic()
        self._version = found.version
        self.trouble = ""
        self.synced.set()
        self._tell(names)

    def _watch(self) -> None:
        assert self._version is not None  # noqa: S101  a list was seen
        timeout = 240.0 + 240.0 * self._jitter()
        with self._source.watch_pods(self._selector, self._version, timeout=timeout) as watching:
            with self._guard:
                self._watching = watching
            if self._closing.is_set():
                return
            try:
                self._hear(watching)
            finally:
                with self._guard:
                    self._watching = None

    def _hear(self, watching: Watching) -> None:
        for event in watching:
            thing = event["object"]
            changed = event["type"] != "BOOKMARK" and self._apply(event["type"], thing)
            self._events += 1
            with self._guard:
                self._heard_at = self._clock.monotonic()
            self._version = thing["metadata"]["resourceVersion"]
            if changed:
                self._tell([thing["metadata"]["name"]])
            if self._list_is_due() or self._closing.is_set():
                return

    def _apply(self, kind: str, pod: Json) -> bool:
        """Take an event in; return whether it changed anything here."""
        name = pod["metadata"]["name"]
        with self._guard:
            known = self._pods.get(name)
            if kind != "DELETED":
                self._expected.pop(name, None)
                self._pods[name] = _slim(pod)
                return known != self._pods[name]
            self._bury(pod)
            if known is None or _uid(known) != _uid(pod):
                return False
            self._expected.pop(name, None)
            del self._pods[name]
            return True

    def _bury(self, pod: Json) -> None:
        """Remember that a Pod is gone, in case the answer to its creation comes later."""
        self._gone[_uid(pod)] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def _tell(self, names: list[str]) -> None:
        for name in names:
            try:
                self._on_change(name)
            except Exception:
                log.exception("whoever was told of a change of Pod %s tripped", name)


def _uid(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("uid") or "")


def _slim(pod: Json) -> Json:
    """Return a Pod without the record of who changed which field, half of its size."""
    metadata = {name: value for name, value in pod["metadata"].items() if name != "managedFields"}
    return {**pod, "metadata": metadata}
