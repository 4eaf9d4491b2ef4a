"""`hookline sweep`: on the server's machine, without asking the server."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from runner.database.connection import open_database
from runner.database.migrations import migrate
from runner.objects.filesystem import FilesystemStore
from runner.retention.catalogue import Catalogue
from runner.retention.sweeper import CATALOGUE
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots, snapshot_key
from tests.runner.cli.conftest import Invoke
from tests.runner.database.samples import a_repository, a_run

OLD = 1_000_000_000.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a run that has ended long ago, and a snapshot that nobody needs."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(open_database(f"sqlite:///{folder / 'hookline.db'}")) as database:
        migrate(database)
        with database.write() as tx:
            repository = a_repository(tx)
            a_run(tx, repository, at=OLD, branch=None, ended_at=OLD, wanted=False)
            a_run(tx, repository, at=OLD, ended_at=OLD, wanted=False, source="0" * 64)
    return folder


def test_what_would_be_removed(invoke: Invoke, data: Path) -> None:
    environ = {"HOOKLINE_DATA": str(data)}
    told = invoke("sweep", "--dry-run", env=environ)
    expected = "would remove 1 runs, 0 B; 1 snapshots that runs need are missing, such as 000"
    assert told.stdout.startswith(expected)
    assert f"snapshot {'0' * 64} cannot be read, but a run needs it" in told.stderr
    assert invoke("sweep", env=environ).stdout.startswith("removed 1 runs")
    assert invoke("sweep", env=environ).stdout.startswith("nothing to remove; 1 snapshots")


def test_for_programs(invoke: Invoke, data: Path) -> None:
    told = json.loads(invoke("sweep", "--json", env={"HOOKLINE_DATA": str(data)}).stdout)
    assert (told["dry"], told["runs"], told["bytes"]) == (False, 1, 0)
    assert told["missing"] == ["0" * 64]


def test_while_another_sweep_is_under_way(invoke: Invoke, data: Path) -> None:
    with closing(Catalogue(data / CATALOGUE)):
        told = invoke("sweep", env={"HOOKLINE_DATA": str(data)})
    assert (told.exit_code, "another sweep is under way" in told.stderr) == (1, True)


def test_a_store_of_another_database(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    store = FilesystemStore(data / "objects")
    digest = Snapshots(store).save(EMPTY)
    environ = {
        "HOOKLINE_DATA": str(data),
        "HOOKLINE_DATABASE_URL": f"sqlite:///{tmp_path / 'other.db'}",
    }
    told = invoke("sweep", env=environ)
    assert (told.exit_code, "knows of no run" in told.stderr) == (1, True)
    assert store.size(snapshot_key(digest))
