"""Fixtures for tests of the API and the pages; their conftest modules make them known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.seeds import Instance, open_instance


@pytest.fixture
def instance(tmp_path: Path, sqlite_template: Path) -> Iterator[Instance]:
    """Give an instance on a fresh SQLite database."""
    path = tmp_path / "hookline.db"
    shutil.copy(sqlite_template, path)
    opened = open_instance(tmp_path, f"sqlite:///{path}")
    yield opened
    opened.database.close()


@pytest.fixture
def client(instance: Instance) -> Iterator[TestClient]:
    """Give a client of the instance that follows no redirects."""
    with TestClient(instance.app(), follow_redirects=False) as opened:
        yield opened


def sse(text: str) -> list[tuple[str, str, Any]]:
    """Return the events of a stream as (event, id, data), comments as `comment`."""
    found: list[tuple[str, str, Any]] = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")
        )
        if block.startswith(":"):
            found.append(("comment", "", block[2:]))
        elif block:
            found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found
