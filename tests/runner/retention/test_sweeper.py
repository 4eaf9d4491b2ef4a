from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.objects.base import ObjectInfo, ObjectStoreError
from runner.objects.memory import MemoryStore
from runner.retention.report import Removed
from runner.retention.sweeper import CATALOGUE, Sweeper
from runner.settings_model import Retention
from tests.runner.retention.world import DAY, World


def sweeper(world: World, tmp_path: Path, **changes: object) -> Sweeper:
    settings = world.settings.model_copy(update={"every": 0.01, **changes})
    return Sweeper(world.database, world.objects, tmp_path, settings, world.clock)


def test_one_that_is_asked_for(world: World, tmp_path: Path) -> None:
    world.run()
    orphan = world.source({"a": b"1"})
    world.clock.advance(400 * DAY)
    before = world.keys()
    expected = {Removed.SNAPSHOTS: 1, Removed.PACKS: 1}
    assert sweeper(world, tmp_path).sweep(dry=True).removed == expected
    assert world.keys() == before
    assert not (tmp_path / CATALOGUE).exists()
    assert world.read(orphan) == {"a": b"1"}
    assert sweeper(world, tmp_path).sweep().removed == expected
    assert world.keys("packs/") == set()
    assert (tmp_path / CATALOGUE).exists()


class Watched(MemoryStore):
    """Says when a sweep came to its end, and can be broken."""

    def __init__(self, swept: threading.Event) -> None:
        super().__init__()
        self.errors: list[Exception] = []
        self._swept = swept

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        if self.errors:
            raise self.errors.pop(0)
        if prefix == "trash/":
            self._swept.set()
        return super().list(prefix)


def test_it_sweeps_until_it_is_stopped(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hookline")
    swept, stop = threading.Event(), threading.Event()
    store = Watched(swept)
    store.errors = [ObjectStoreError("the store is away"), LookupError("a mistake")]
    settings = Retention(every=0.01)
    thread = threading.Thread(
        target=Sweeper(world.database, store, tmp_path, settings, world.clock).serve, args=(stop,)
    )
    thread.start()
    try:
        assert swept.wait(30)
        swept.clear()
        assert swept.wait(30)
    finally:
        stop.set()
        thread.join()
    assert "did not come to its end: the store is away" in caplog.text
    assert "LookupError: a mistake" in caplog.text
    assert "sweep: nothing to remove" in caplog.text


def test_it_ends_in_the_middle_of_a_sweep(world: World, tmp_path: Path) -> None:
    world.run()
    world.source({"a": b"1"})
    stop = threading.Event()

    class Stopping(MemoryStore):
        def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
            stop.set()
            return world.objects.list(prefix)

    settings = Retention(every=0.01)
    Sweeper(world.database, Stopping(), tmp_path, settings, world.clock).serve(stop)
    assert stop.is_set()


def test_it_can_be_turned_off(world: World, tmp_path: Path) -> None:
    sweeper(world, tmp_path, sweep=False).serve(threading.Event())
    assert not (tmp_path / CATALOGUE).exists()
