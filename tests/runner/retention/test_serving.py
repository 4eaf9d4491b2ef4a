"""What a server makes of its settings: a sweeper, and no source to build on that has expired."""

from __future__ import annotations

from pathlib import Path

from runner.clock import ManualClock
from runner.secrets import Keyring
from runner.server import Sources, open_instance
from runner.settings_model import Settings
from tests.runner.retention.world import DAY, World


def test_nothing_is_built_upon_a_source_that_is_about_to_go(world: World, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert isinstance(world.clock, ManualClock)
    keyring = Keyring([bytes(32)])
    sources = Sources(settings, world.database, keyring, world.snapshots, world.clock)
    assert sources.previous_source(world.repository.id) is None
    world.run(source="old", branch=None)
    assert sources.previous_source(world.repository.id) == "old"
    world.clock.advance(30 * DAY + 1)
    assert sources.previous_source(world.repository.id) is None
    world.run(source="new")
    world.clock.advance(300 * DAY)
    assert sources.previous_source(world.repository.id) == "new"


def test_a_server_has_a_sweeper_for_its_stores(tmp_path: Path) -> None:
    with open_instance(Settings(data=tmp_path)) as instance:
        assert instance.sweeper.objects is instance.services.objects
        assert instance.sweeper.sweep().sentence() == "nothing to remove"
