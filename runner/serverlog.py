"""The server's own log: one line an event, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from runner.settings_model import Settings


class JsonLines(logging.Formatter):
    """A JSON object a line: `at` (ISO 8601, UTC), `level`, `logger`, `message`, perhaps `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record; whatever it holds, it stays one line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class OneLine(logging.Formatter):
    """A line for people; line breaks inside a message are shown as `\\n`, so none can be forged."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without what follows it."""
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")


def set_up(settings: Settings, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged to a stream, as the settings say."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("alembic", "httpx2", "httpcore2", "git", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
