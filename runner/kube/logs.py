"""Follows the log of an agent: keeps the step's lines, and hears its start and its end at once.

Whatever happens to the stream, no line is kept twice and none is missed unseen: every line tells
where it belongs. A stream that breaks, falls silent or ends early is opened again a little before
the last thing heard; if that leaves a gap, from the beginning; if that does too, the cluster has
thrown lines away, and the gap is marked until the whole log is fetched from the object store.

One thread for each log: it mostly waits. 200 of them with their connections cost 8 MB, without TLS.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol, TypeAlias

from runner.clock import Clock, SystemClock
from runner.kube.agentlog import Ended, Line, Note, Splitter, Started, parse
from runner.kube.backoff import Backoff, Jitter
from runner.kube.client import FOLLOWERS
from runner.kube.errors import KubeError, NotFound, NotReady, Silence
from runner.kube.spool import Spool

SILENCE = 120.0
"""Seconds after which a stream that says nothing is opened again: a dead one looks no different."""
OVERLAP = 5.0
"""Seconds before the last thing heard from which a stream is opened again."""
_POLL = 0.2

log = logging.getLogger(__name__)

Heard: TypeAlias = Callable[[Started | Ended | Note], object]


class Streaming(AbstractContextManager["Streaming"], Protocol):
    """A log as it comes; see `runner.kube.connection.Stream`."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces of any size."""

    def abort(self) -> None:
        """End it, from any thread."""


class LogSource(Protocol):
    """Where logs are read: `KubeClient`."""

    def pod_log(
        self, name: str, container: str, *, follow: bool, since: float | None, silence: float
    ) -> Streaming:
        """Return a container's log as it comes."""


class Gate:
    """Lets so many logs be followed at the same time, as Kubernetes itself bounds them nowhere."""

    def __init__(self, width: int = FOLLOWERS) -> None:
        self._places = threading.Semaphore(width)

    def enter(self, seconds: float) -> bool:
        """Take a place; return False if none was free for some seconds."""
        return self._places.acquire(timeout=seconds)

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()


class LogFollower:
    """Follows one agent's log into a file, in a thread of its own, until its end was heard.

    `heard` is called from that thread with everything but lines; when it is called with the end,
    the file is closed and `runner.kube.spool.is_whole` can tell whether the log is all there.
    `running` says whether the container runs: a log that ends after it did is over.
    """

    def __init__(
        self,
        source: LogSource,
        pod: str,
        file: Path,
        heard: Heard,
        *,
        container: str = "agent",
        running: Callable[[], bool],
        gate: Gate | None = None,
        clock: Clock | None = None,
        jitter: Jitter = random.random,
    ) -> None:
        self.deaf = True
        """Whether nothing can be heard just now, so that silence means nothing."""
        self.trouble = ""
        """Why it is deaf, or cannot keep what it hears."""
        self.gaps = False
        """Whether lines were missed for good."""
        self.over = threading.Event()
        """Set when there is nothing more to hear, or it was closed."""
        self._source = source
        self._pod = pod
        self._path = file
        self._heard = heard
        self._container = container
        self._running = running
        self._gate = gate or Gate()
        self._clock = clock or SystemClock()
        self._backoff = Backoff(0.2, 10.0, jitter)
        self._early = Backoff(0.2, 2.0, jitter)
        self._guard = threading.Lock()
        self._stream: Streaming | None = None
        self._last: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hookline-log-{pod}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening, at once, without waiting for it."""
        self._closing.set()
        with self._guard:
            stream = self._stream
        if stream is not None:
            stream.abort()

    def join(self, seconds: float) -> bool:
        """Wait for its thread to end; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._closing.is_set() and not self.over.is_set():
                if not self._gate.enter(_POLL):
                    continue
                try:
                    pause = self._listen()
                finally:
                    self._gate.leave()
                self._closing.wait(pause)
        except Exception:
            self.trouble = "tripped; see the server's log"
            log.exception("the log of Pod %s cannot be followed any more", self._pod)
        finally:
            self.deaf = True
            self.over.set()

    def _listen(self) -> float:
        """Open the log and hear it out; return the seconds to wait before that is done again."""
        ran = self._running()
        try:
            self._follow()
        except NotReady:
            return self._early.next()
        except NotFound as error:
            self._fail(error)
            self.over.set()
        except Silence:
            return 0.0
        except KubeError as error:
            self._fail(error)
        else:
            # It ended in order: for good only if the container had ended before it was opened.
            if not ran:
                self.over.set()
        return 0.0 if self.over.is_set() else self._backoff.next()

    def _fail(self, error: KubeError) -> None:
        self.deaf = True
        if not self._closing.is_set():
            self.trouble = str(error)
            log.info("the log of Pod %s broke off: %s", self._pod, error)

    def _follow(self) -> None:
        """Hear a stream to its end, once more from the beginning if it left a gap."""
        since = None if self._last is None else self._clock.monotonic() - self._last + OVERLAP
        if not self._hear(since, mend=since is None):
            self._hear(None, mend=True)

    def _hear(self, since: float | None, *, mend: bool) -> bool:
        """Hear a stream; return False as soon as it leaves a gap, unless gaps are to be mended."""
        opened = self._source.pod_log(
            self._pod, self._container, follow=True, since=since, silence=SILENCE
        )
        with ExitStack() as stack:
            stream = stack.enter_context(opened)
            self._hold(stream)
            stack.callback(self._hold, None)
            keeper = Keeper(self._path)
            stack.callback(keeper.close)
            self.deaf = False
            return self._take_in(stream, keeper, mend=mend)

    def _hold(self, stream: Streaming | None) -> None:
        with self._guard:
            self._stream = stream
        if stream is not None and self._closing.is_set():
            stream.abort()

    def _take_in(self, stream: Streaming, keeper: Keeper, *, mend: bool) -> bool:
        splitter = Splitter()
        for piece in stream:
            if self._closing.is_set():
                break
            self._last = self._clock.monotonic()
            self._backoff.reset()
            for line in splitter.feed(piece):
                if not self._take(line, keeper, mend=mend):
                    return False
                if self.over.is_set():
                    return True
        return True

    def _take(self, line: bytes, keeper: Keeper, *, mend: bool) -> bool:
        """Take a line in; return False if it shows a gap that is not to be mended."""
        record = parse(line)
        if isinstance(record, Line):
            kept = keeper.keep(record, mend=mend)
            self.gaps = self.gaps or keeper.gaps
            self.trouble = keeper.trouble
            return kept
        if isinstance(record, Ended):
            keeper.close()
        if record is not None:
            self._heard(record)
        if isinstance(record, Ended):
            self.over.set()
        return True


class Keeper:
    """Keeps lines in a spool file; a disk that refuses ends the keeping, not the listening."""

    def __init__(self, path: Path) -> None:
        self.gaps = False
        self.trouble = ""
        self._spool: Spool | None = None
        try:
            self._spool = Spool(path)
        except OSError as error:
            self._give_up(error)

    def keep(self, line: Line, *, mend: bool) -> bool:
        """Keep a line where it belongs; return False if lines before it are missing.

        With `mend` the gap is marked instead.
        """
        if self._spool is None:
            return True
        try:
            if self._spool.append(line.offset, line.stored):
                return True
            if not mend:
                return False
            self.gaps = True
            self._spool.skip_to(line.offset, line.stamp)
            self._spool.append(line.offset, line.stored)
        except OSError as error:
            self._give_up(error)
        return True

    def close(self) -> None:
        """Close the file; done twice it changes nothing."""
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()

    def _give_up(self, error: OSError) -> None:
        self.gaps = True
        self.trouble = f"the log cannot be kept: {error.strerror}"
        log.error("%s", self.trouble)
        self.close()
