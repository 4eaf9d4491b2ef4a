"""A real server for every test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.servers import Server
from tests.support.agents import end_agents


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(**settings: str) -> Server:
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        made.append(Server(folder, settings))
        return made[-1]

    yield make
    for server in made:
        server.stop()
        end_agents(server.data / "work")


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server().start()
