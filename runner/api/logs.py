"""`/api/v1/runs/{id}/steps/{step}/log`: what a step wrote, as text or line by line as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.api import attempts, events
from runner.api.access import Gate, run_of
from runner.api.answers import live, plain
from runner.api.attempts import Found
from runner.api.bodies import Parameters, parameters_of
from runner.api.errors import NotFound
from runner.api.events import Pace, Silence
from runner.api.paths import EncodedRoute
from runner.logs import START, LogLine, Page, Position
from runner.services import Services

_CHUNK = 64 * 1024
_LARGEST = 10**9
_READ_WITHIN = 60.0
"""Seconds after the end of a step in which the logs of its services are read."""

LineNumber = Annotated[int, Field(ge=1, le=_LARGEST)]
AttemptNumber = Annotated[int, Field(ge=1, le=1_000_000)]


class Text(Parameters):
    """Which lines are sent, and whether each begins with the time it was written."""

    attempt: AttemptNumber | None = None
    first: LineNumber = Field(1, alias="from")
    timestamps: bool = False
    service: Annotated[str, Field(max_length=63)] | None = None


class Lines(Parameters):
    """Which lines are sent; `Last-Event-ID` wins over `from`."""

    attempt: AttemptNumber | None = None
    first: LineNumber = Field(1, alias="from")


@dataclass(frozen=True)
class Place:
    """Whose log is read; without a number that of the latest attempt, once there is one."""

    run_id: str
    step: str
    number: int | None


@dataclass(frozen=True)
class Logs:
    """The endpoints."""

    services: Services
    gate: Gate
    pace: Pace

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        place = "/api/v1/runs/{id}/steps/{step}/log"
        return [EncodedRoute(place, self.text), EncodedRoute(f"{place}/stream", self.stream)]

    def text(self, request: Request) -> Response:
        """Answer with the lines there are, as text."""
        asked = parameters_of(request, Text)
        found = self._found(request, asked.attempt)
        if asked.service is not None:
            lines = self._of_service(found, asked.service, asked.first)
        else:
            lines = self.services.logbook.read(found.id, asked.first) if found.id else iter(())
        return plain(_chunks(lines, timestamps=asked.timestamps))

    async def stream(self, request: Request) -> Response:
        """Answer with the lines there are and those to come, until the attempt has ended."""
        asked = parameters_of(request, Lines)
        found = await run_in_threadpool(self._found, request, asked.attempt)
        number = asked.attempt or (found.attempt.number if found.attempt else None)
        place = Place(found.step.run_id, found.step.name, number)
        return live(request, self._follow(place, _resumed(request, asked)), events.MEDIA_TYPE)

    def _found(self, request: Request, number: int | None) -> Found:
        visitor = self.gate.visitor(request)
        with self.services.database.read() as tx:
            run, _ = run_of(tx, visitor, request.path_params["id"])
            return attempts.find(tx, run.id, request.path_params["step"], number)

    def _of_service(self, found: Found, service: str, first: int) -> Iterator[LogLine]:
        """Return the lines of a service's log from a number on; raise `NotFound`."""
        kept = self.services.logbook.services(found.id) if found.id else ()
        if found.id is None or service not in kept:
            if self._is_read_later(found):
                message = f"the log of the service {service!r} is not kept yet"
                raise NotFound(message, cure="it is read some seconds after the step has ended")
            message = f"no log of a service {service!r} was kept of this attempt"
            raise NotFound(message, cure=f"its services with a log: {', '.join(kept) or 'none'}")
        lines = self.services.logbook.read_service(found.id, service)
        return (line for line in lines if line.number >= first)

    def _is_read_later(self, found: Found) -> bool:
        """Return whether the logs of an attempt's services may still be to come."""
        ended_at = found.attempt.ended_at if found.attempt else None
        if ended_at is None:
            return not found.ended
        return self.services.clock.now() < ended_at + _READ_WITHIN

    def _look(self, place: Place) -> Found | None:
        try:
            with self.services.database.read() as tx:
                return attempts.find(tx, place.run_id, place.step, place.number)
        except NotFound:
            return None

    async def _follow(self, place: Place, first: int) -> AsyncIterator[bytes]:
        position = START
        silence = Silence(self.pace.heartbeat)
        while True:
            # Asked before reading: what is read afterwards is all there will be.
            found = await run_in_threadpool(self._look, place)
            page = await self._page(found, position)
            while page.lines:
                silence.broken()
                yield b"".join(_event(line) for line in page.lines if line.number >= first)
                position = page.next
                page = await self._page(found, position)
            if found is None or found.ended:
                yield events.END
                return
            await asyncio.sleep(self.pace.log)
            if silence.too_long(self.pace.log):
                yield events.HEARTBEAT

    async def _page(self, found: Found | None, position: Position) -> Page:
        if found is None or found.id is None:
            return Page((), position)
        return await run_in_threadpool(self.services.logbook.page, found.id, position)


def _resumed(request: Request, asked: Lines) -> int:
    """Return the number of the first line to send; an id that we never gave is passed over."""
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < 10:
        return int(last) + 1
    return asked.first


def _event(line: LogLine) -> bytes:
    return events.event("line", asdict(line), str(line.number))


def _chunks(lines: Iterable[LogLine], *, timestamps: bool) -> Iterator[bytes]:
    """Yield lines as text in chunks worth sending."""
    parts: list[bytes] = []
    size = 0
    for line in lines:
        stamp = f"{_moment(line.at)} " if timestamps else ""
        parts.append(f"{stamp}{line.text}\n".encode("utf-8", "replace"))
        size += len(parts[-1])
        if size >= _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _moment(at: float) -> str:
    """Return a time as RFC 3339 has it, in UTC to the millisecond."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
