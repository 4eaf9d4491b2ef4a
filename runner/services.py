"""What the parts of a running instance share: opened once, handed to whoever needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.clock import Clock
from runner.database.connection import Database
from runner.feed import Feed
from runner.logs import LogBook
from runner.objects.base import ObjectStore
from runner.readiness import Readiness
from runner.secrets import Keyring
from runner.settings_model import Settings
from runner.workspace.snapshots import Snapshots


@dataclass(frozen=True, kw_only=True)
class Services:
    """The instance's settings and stores; `wake` tells the engine that the database holds news."""

    settings: Settings
    clock: Clock
    database: Database
    keyring: Keyring
    objects: ObjectStore
    snapshots: Snapshots
    logbook: LogBook
    feed: Feed
    wake: Callable[[], None]
    readiness: Readiness = field(default_factory=Readiness)
