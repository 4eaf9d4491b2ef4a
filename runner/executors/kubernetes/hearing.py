"""What was heard of one agent on its log: the start and the end of its step, as soon as told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from runner.clock import Clock
from runner.executors.kubernetes import records
from runner.executors.kubernetes.records import Told
from runner.kube.agentlog import Ended, Note, Started
from runner.kube.logs import LogFollower, LogSource

log = logging.getLogger("hookline.kubernetes")


class Hearing:
    """Follows an agent's log into a file, from `begin` to `close`, and keeps what it tells.

    `running` says whether the agent may still say something; `news` is called when it has told the
    start or the end.
    """

    def __init__(
        self,
        source: LogSource,
        pod: str,
        file: Path,
        *,
        running: Callable[[], bool],
        news: Callable[[], object],
        clock: Clock,
    ) -> None:
        self.started_at: float | None = None
        """When the command was let go, None if that was not heard."""
        self.ended: Told | None = None
        """The end as it was told, None if it was not heard."""
        self._pod = pod
        self._news = news
        self._follower = LogFollower(source, pod, file, self._hear, running=running, clock=clock)

    @property
    def deaf(self) -> bool:
        """Whether nothing can be heard just now, so that silence means nothing."""
        return self._follower.deaf

    @property
    def over(self) -> bool:
        """Whether there is nothing more to hear."""
        return self._follower.over.is_set()

    def begin(self) -> None:
        """Begin to listen."""
        self._follower.start()

    def close(self) -> None:
        """Stop listening; done twice it changes nothing."""
        self._follower.close()

    def _hear(self, record: Started | Ended | Note) -> None:
        match record:
            case Started():
                self.started_at = record.at
            case Ended():
                self._understand(record)
            case Note():
                return
        self._news()

    def _understand(self, record: Ended) -> None:
        """Take note of an end; one that makes no sense is told again by the Pod's status."""
        try:
            self.ended = records.read(record.fields)
        except ValueError as error:
            log.warning("the agent of Pod %s told no end that makes sense: %s", self._pod, error)
