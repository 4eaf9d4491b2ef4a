"""Sweeps now and then for as long as a server serves, or once when somebody asks."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.clock import Clock
from runner.database.connection import Database
from runner.database.errors import DatabaseError
from runner.objects.base import ObjectStore, ObjectStoreError
from runner.retention.catalogue import Catalogue
from runner.retention.errors import RetentionError, SweepStopped
from runner.retention.report import Report
from runner.retention.sweeping import Sweep
from runner.retention.untouched import Untouched
from runner.settings_model import Retention
from runner.workspace.snapshots import Snapshots

log = logging.getLogger("hookline.retention")

CATALOGUE = "sweep.db"
"""The name of the catalogue in the data folder."""

_FIRST = 300.0
"""Seconds until the first sweep, at most: a server that is restarted every day sweeps too."""


@dataclass(frozen=True)
class Sweeper:
    """Sweeps a database and its object store; `data` is the folder for what it remembers."""

    database: Database
    objects: ObjectStore
    data: Path
    settings: Retention
    clock: Clock

    def serve(self, stop: threading.Event) -> None:
        """Sweep again and again until `stop` is set, unless the settings say no."""
        pause = min(_FIRST, self.settings.every)
        while self.settings.sweep and not stop.wait(pause):
            pause = self.settings.every
            try:
                log.info("sweep: %s", self.sweep(stop).sentence())
            except SweepStopped:
                return
            except (RetentionError, DatabaseError, ObjectStoreError) as error:
                log.warning("the sweep did not come to its end: %s", error)
            except Exception:
                log.exception("the sweep did not come to its end")

    def sweep(self, stop: threading.Event | None = None, *, dry: bool = False) -> Report:
        """Sweep once and return what was removed, or with `dry` what would be.

        Raises what `Sweep.run` does, and `SweepUnderWay`.
        """
        # A dry sweep must not remember what it only imagined to be removed.
        with closing(Catalogue(None if dry else self.data / CATALOGUE)) as catalogue:
            sweep = Sweep(
                database=self.database,
                snapshots=Snapshots(Untouched(self.objects) if dry else self.objects),
                catalogue=catalogue,
                settings=self.settings,
                now=self.clock.now(),
                stop=stop or threading.Event(),
                dry=dry,
            )
            return sweep.run()
