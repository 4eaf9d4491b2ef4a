"""Reads the logs of a run as they are, or follows them as they grow, several steps at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

from pipelines.states import State
from runner.cli.terminal import shown
from runner.client import Client, ClientError, path_of

_ENDED = frozenset(state.value for state in State if state.terminal)


@dataclass(frozen=True)
class LogEntry:
    """A line of a log; `at` is the time in RFC 3339, UTC, to the millisecond."""

    step: str
    attempt: int | None
    number: int
    at: str
    text: str


@dataclass
class Printer:
    """Prints lines of several logs, whole ones only; `named` puts the step before each."""

    echo: Callable[[str], None]
    timestamps: bool = False
    named: bool = False
    as_json: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, entry: LogEntry) -> None:
        """Print one line; safe from any thread."""
        with self._lock:
            self.echo(self._record(entry) if self.as_json else self._line(entry))

    def _line(self, entry: LogEntry) -> str:
        time = f"{entry.at} " if self.timestamps else ""
        again = f"#{entry.attempt}" if entry.attempt and entry.attempt > 1 else ""
        name = f"{entry.step}{again} | " if self.named else ""
        return f"{time}{name}{shown(entry.text, colours=True)}"

    def _record(self, entry: LogEntry) -> str:
        record = {
            "step": entry.step,
            "attempt": entry.attempt,
            "number": entry.number,
            "at": entry.at,
            "line": entry.text,
        }
        return json.dumps(record, ensure_ascii=False)


class Follower:
    """Reads the logs of one run."""

    def __init__(self, client: Client, run_id: str, printer: Printer) -> None:
        self._client = client
        self._run = "/runs" + path_of(run_id)
        self._printer = printer
        self._taken: set[tuple[str, int]] = set()
        self._threads: list[threading.Thread] = []
        self._errors: list[ClientError] = []

    def read(
        self,
        step: str,
        attempt: int | None = None,
        *,
        follow: bool = False,
        service: str | None = None,
    ) -> None:
        """Print the log of a step's attempt, by default the latest; with `follow` to its end.

        With `service` that of a service of it, which cannot be followed.
        """
        entries = self._live(step, attempt) if follow else self._stored(step, attempt, service)
        for entry in entries:
            self._printer.show(entry)

    def follow(self, only: str | None = None) -> None:
        """Print the logs of all steps, or of one, until there will be no more.

        Of what has been tried already the latest attempts are printed, each as a whole.
        """
        seen, first = only is None, True
        for event in self._client.stream(f"{self._run}/stream"):
            steps = [s for s in event.data.get("steps", ()) if only in (None, s["name"])]
            seen = seen or bool(steps)
            self._begin(steps, latest=first)
            first = False
            if only is not None and steps and _over(event.data, steps[0]):
                break
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        if not seen:
            message = f"the run has no step {only!r}"
            raise click.UsageError(message)

    def _begin(self, steps: list[dict[str, Any]], *, latest: bool) -> None:
        """Take up every attempt that is new; with `latest` those before the last are passed over."""
        for step in steps:
            attempts = step["attempts"]
            for attempt in attempts:
                key = (str(step["name"]), int(attempt["number"]))
                if key in self._taken:
                    continue
                self._taken.add(key)
                if not latest or attempt is attempts[-1]:
                    self._take(*key, ended=attempt["ended_at"] is not None)

    def _take(self, step: str, number: int, *, ended: bool) -> None:
        if ended:
            self.read(step, number)
            return
        # A daemon, so that Ctrl-C need not wait for what others write.
        thread = threading.Thread(target=self._attempt, args=(step, number), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _attempt(self, step: str, number: int) -> None:
        try:
            self.read(step, number, follow=True)
        except ClientError as error:
            self._errors.append(error)

    def _live(self, step: str, attempt: int | None) -> Iterator[LogEntry]:
        path = f"{self._run}{path_of('steps', step, 'log')}/stream"
        for event in self._client.stream(path, {"attempt": attempt}):
            if event.kind == "line":
                at = moment(float(event.data["at"]))
                number, text = int(event.data["number"]), str(event.data["text"])
                yield LogEntry(step, attempt, number, at, text)

    def _stored(self, step: str, attempt: int | None, service: str | None) -> Iterator[LogEntry]:
        query = {"attempt": attempt, "timestamps": "true", "service": service}
        lines = self._client.lines(f"{self._run}{path_of('steps', step, 'log')}", query)
        for number, line in enumerate(lines, start=1):
            at, _, text = line.partition(" ")
            yield LogEntry(step, attempt, number, at, text)


def moment(at: float) -> str:
    """Return seconds since the epoch as the API writes times in a log."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _over(run: dict[str, Any], step: dict[str, Any]) -> bool:
    return step["state"] in _ENDED and not run.get("asked")
