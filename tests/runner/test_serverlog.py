"""The server's log is one line an event, whatever the event holds."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from runner import serverlog
from runner.settings_model import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def written(settings: Settings, message: str, error: Exception | None = None) -> str:
    stream = io.StringIO()
    serverlog.set_up(settings, stream)
    logging.getLogger("hookline.test").warning(message, exc_info=error)
    return stream.getvalue()


def test_json_is_one_object_a_line() -> None:
    told = written(Settings(log_format="json"), "first\nsecond", ValueError("boom"))
    (line,) = told.splitlines()
    read = json.loads(line)
    assert (read["level"], read["logger"], read["message"]) == (
        "warning",
        "hookline.test",
        "first\nsecond",
    )
    assert "ValueError: boom" in read["error"]
    assert read["at"].endswith("+00:00")


def test_no_line_can_be_forged_on_the_console() -> None:
    told = written(Settings(), "first\r\nERROR forged")
    assert len(told.splitlines()) == 1
    assert "first\\r\\nERROR forged" in told


def test_what_is_less_important_than_asked_for_is_left_out() -> None:
    assert written(Settings(log_level="error"), "a warning") == ""
