"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often streams look again, in seconds.

    `run` is the safety net beneath the feed, `log` how soon new lines are seen, `heartbeat` how
    long a stream is silent.
    """

    run: float = 5.0
    log: float = 0.5
    heartbeat: float = 15.0


def event(name: str, content: object, event_id: str = "") -> bytes:
    """Return one event with JSON for its data; JSON has no line ends, so one line is enough."""
    identity = f"id: {event_id}\n" if event_id else ""
    data = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return f"{identity}event: {name}\ndata: {data}\n\n".encode("ascii")


class Silence:
    """Counts how long nothing was said, in waits of a known length."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._seconds = 0.0

    def broken(self) -> None:
        """Something was said."""
        self._seconds = 0.0

    def too_long(self, waited: float) -> bool:
        """Return whether, after waiting so many seconds more, it is time for a sign of life."""
        self._seconds += waited
        if self._seconds < self._longest:
            return False
        self._seconds = 0.0
        return True
