"""Sends statuses from the outbox to the forges until each has been taken or refused for good."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx2

from runner.clock import Clock
from runner.database import outbox
from runner.database.connection import Database
from runner.database.outbox import OutboxRow
from runner.git import Mirror
from runner.git_errors import CommitGone, FetchFailed, GitError, PushFailed
from webhooks.forges.base import (
    Forge,
    GitNote,
    HttpRequest,
    HttpResponse,
    Later,
    Refused,
    Status,
    Taken,
    Target,
    Understood,
)
from webhooks.statuses import state_of

log = logging.getLogger("hookline.reporter")

FIRST_WAIT = 1.0
LONGEST_WAIT = 600.0
PATIENCE = 3 * 86400.0
"""Seconds after which a status that nobody took is given up."""
AT_ONCE = 4
"""How many statuses are sent side by side; each takes less time than it may be under way."""


@dataclass(frozen=True)
class Destination:
    """Where the statuses of a repository go: the forge's module, its address, or the mirror."""

    forge: Forge
    target: Target
    mirror: Callable[[], Mirror]


@dataclass
class Reporter:
    """Carries statuses to forges, each commit's in order, the newest attempt's last."""

    database: Database
    client: httpx2.Client
    clock: Clock
    destination_of: Callable[[int], Destination]
    jitter: Callable[[], float] = random.random
    _woken: threading.Event = field(default_factory=threading.Event)

    def wake(self) -> None:
        """Say, from any thread, that there is something to send."""
        self._woken.set()

    def serve(self, stop: threading.Event) -> None:
        """Turn until told to stop (and woken); what goes wrong is logged, and tried again."""
        while not stop.is_set():
            self._woken.clear()
            try:
                sent = self.turn()
            except Exception:
                log.exception("statuses cannot be sent; it is tried again")
                sent = 0
            if not sent:
                self._woken.wait(1.0)

    def turn(self) -> int:
        """Send what is due; return how many were tried."""
        now = self.clock.now()
        due = self.database.transact(lambda tx: outbox.due(tx, now, AT_ONCE))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hookline-report") as senders:
            for row, understood in zip(due, senders.map(self._try_to_send, due), strict=True):
                self._settle(row, understood)
        return len(due)

    def _try_to_send(self, row: OutboxRow) -> Understood:
        """Send a status; whatever is wrong with one of them is no matter of the others."""
        try:
            return self._send(row)
        except Exception as error:
            log.exception("the status of run %s cannot be sent", row.run_id)
            return Later(None, f"internal error: {type(error).__name__}")

    def _send(self, row: OutboxRow) -> Understood:
        destination = self.destination_of(row.repository_id)
        status = Status(
            commit=row.commit,
            context=row.context,
            state=state_of(row.state),
            description=row.description,
            url=row.url,
        )
        report = destination.forge.report(destination.target, status)
        if isinstance(report, GitNote):
            return _annotate(destination.mirror(), report)
        return self._request(destination.forge, report)

    def _request(self, forge: Forge, request: HttpRequest) -> Understood:
        try:
            response = self.client.request(
                request.method, request.url, headers=dict(request.headers), json=dict(request.json)
            )
        except httpx2.LocalProtocolError:
            # Its words may hold the token.
            return Refused("the request cannot be made: is the repository's token right?")
        except httpx2.HTTPError as error:
            return Later(None, f"{type(error).__name__}: {error}")
        return forge.understand(
            HttpResponse(response.status_code, _lower(response.headers), response.text)
        )

    def _settle(self, row: OutboxRow, understood: Understood) -> None:
        now = self.clock.now()
        match understood:
            case Taken():
                self.database.transact(lambda tx: outbox.taken(tx, row.id, now))
            case Refused(why=why):
                log.warning("the status of run %s was refused: %s", row.run_id, why)
                self.database.transact(lambda tx: outbox.refused(tx, row.id, why))
            case Later() if now - row.created_at > PATIENCE:
                why = f"given up after {row.tries + 1} tries: {understood.why}"
                self.database.transact(lambda tx: outbox.refused(tx, row.id, why))
            case Later():
                again = now + (understood.seconds or self._wait(row.tries))
                self.database.transact(lambda tx: outbox.later(tx, row.id, again, understood.why))

    def _wait(self, tries: int) -> float:
        return min(FIRST_WAIT * 2.0 ** min(tries, 20), LONGEST_WAIT) * (0.5 + self.jitter())


def _annotate(mirror: Mirror, note: GitNote) -> Understood:
    try:
        mirror.add_note(note.commit, note.text)
    except (FetchFailed, PushFailed) as error:
        return Later(None, str(error)) if error.retryable else Refused(str(error))
    except CommitGone as error:
        return Refused(str(error))
    except GitError as error:
        return Later(None, str(error))
    return Taken()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
