"""A database and an object store with runs in them, whose clock tests turn."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import update

from pipelines.events import Push
from runner.clock import ManualClock
from runner.database import attempts, repositories, runs
from runner.database.attempts import Attempt
from runner.database.connection import Database
from runner.database.repositories import Repository
from runner.database.runs import Run
from runner.database.tables import runs as run_rows
from runner.objects.base import ObjectInfo, ObjectStore
from runner.objects.memory import MemoryStore
from runner.retention.catalogue import Catalogue
from runner.retention.report import Report
from runner.retention.sweeping import Sweep
from runner.settings_model import Retention
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import Manifest
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots
from runner.workspace.source import TreeEntry, capture_source
from tests.runner.database.samples import a_run

DAY = 86_400.0
HOUR = 3_600.0


class AgedStore:
    """Another store whose objects are as old as a test's own clock says."""

    def __init__(self, store: ObjectStore, clock: ManualClock) -> None:
        self._store = store
        self._clock = clock
        self._times: dict[str, float] = {}

    def put(self, key: str, data: bytes) -> None:
        self._store.put(key, data)
        self._times[key] = self._clock.now()

    def create(self, key: str, data: bytes) -> bool:
        created = self._store.create(key, data)
        if created:
            self._times[key] = self._clock.now()
        return created

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._store.get(key, start, length)

    def size(self, key: str) -> int | None:
        return self._store.size(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for info in self._store.list(prefix):
            # What is just being written is not known yet, and as young as can be.
            yield replace(info, modified=self._times.get(info.key, self._clock.now()))

    def delete(self, keys: Iterable[str]) -> None:
        self._store.delete(keys)


class Hesitant(AgedStore):
    """The same store for somebody who hesitates before what cannot be undone."""

    def __init__(self, store: AgedStore, before: Callable[[str, str], None]) -> None:
        """Call `before` with `put` or `delete` and the key first."""
        self._store, self._clock, self._times = store._store, store._clock, store._times
        self._before = before

    def put(self, key: str, data: bytes) -> None:
        self._before("put", key)
        super().put(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._before("delete", key)
            super().delete([key])


@dataclass
class World:
    """All of it, and a way to add runs; `settings` are short times with a grace of a day."""

    database: Database
    clock: ManualClock = field(default_factory=ManualClock)
    inner: ObjectStore = field(default_factory=MemoryStore)
    settings: Retention = field(
        default_factory=lambda: Retention(workspaces=10 * DAY, runs=20 * DAY, keep=1, grace=DAY)
    )
    catalogue: Path | None = None

    def __post_init__(self) -> None:
        self.objects = AgedStore(self.inner, self.clock)
        self.snapshots = self.new_snapshots()
        self.repository = self.new_repository("acme/demo")

    def new_snapshots(self, home: str = "") -> Snapshots:
        """Return another view of the store, which remembers nothing."""
        return Snapshots(self.objects, home, clock=self.clock.now)

    def new_repository(self, name: str) -> Repository:
        with self.database.write() as tx:
            return repositories.add(
                tx, name=name, forge="git", clone_url="https://x.test/r", at=self.clock.now()
            )

    def run(
        self,
        *,
        branch: str | None = "main",
        ended: float | None = 0.0,
        source: str | None = None,
        repository: Repository | None = None,
        **values: Any,
    ) -> Run:
        """Add a run of now, which ended so many seconds later, or has not with None."""
        self.clock.advance(0.002)  # so that its id comes after those before it
        at = self.clock.now()
        event = Push(branch=branch or "main", commit="1" * 40)
        known = {"event": event, "wanted": ended is None, **values}
        if ended is not None:
            known["ended_at"] = at + ended
        with self.database.write() as tx:
            return a_run(
                tx, repository or self.repository, at=at, branch=branch, source=source, **known
            )

    def attempt(self, run: Run, step: str, snapshot: str | None, number: int = 1) -> None:
        """Add an attempt that left a snapshot."""
        ended = Attempt(run_id=run.id, step=step, number=number, snapshot=snapshot, ended_at=1.0)
        with self.database.write() as tx:
            attempts.put(tx, run.lease_epoch, ended)

    def change(self, run: Run, **values: Any) -> None:
        with self.database.write() as tx:
            tx.execute(update(run_rows).where(run_rows.c.id == run.id).values(values))

    def row(self, run: Run) -> Run | None:
        with self.database.read() as tx:
            return runs.find(tx, run.id)

    def source(
        self,
        files: Mapping[str, bytes],
        base: Manifest | None = None,
        snapshots: Snapshots | None = None,
    ) -> str:
        """Capture a source that holds these files, on an earlier one; return its digest."""
        names = {path: hashlib.sha1(data).hexdigest() for path, data in files.items()}
        blobs = {names[path]: data for path, data in files.items()}
        tree = [TreeEntry(path, 0o100644, names[path], len(data)) for path, data in files.items()]

        def read(wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
            return ((oid, blobs[oid]) for oid in wanted)

        return capture_source(tree, read, base, snapshots or self.snapshots, 0).digest

    def left(
        self,
        parent: str,
        files: Mapping[str, bytes],
        *,
        home: str = "",
        snapshots: Snapshots | None = None,
    ) -> str:
        """Capture what a step leaves that writes these files; return its digest."""
        snapshots = snapshots or self.new_snapshots(home)
        base = snapshots.load(parent)
        with tempfile.TemporaryDirectory() as name:
            index = restore(base, Path(name), Index(), snapshots)
            for path, data in files.items():
                Path(name, path).write_bytes(data)
                os.utime(Path(name, path), ns=(0, 0))
            return capture(Path(name), base, index, snapshots, (parent,)).digest

    def sweep(
        self,
        *,
        objects: ObjectStore | None = None,
        dry: bool = False,
        stop: threading.Event | None = None,
    ) -> Report:
        """Sweep once, on another view of the store if given."""
        with closing(Catalogue(self.catalogue)) as catalogue:
            return Sweep(
                database=self.database,
                snapshots=Snapshots(objects or self.objects),
                catalogue=catalogue,
                settings=self.settings,
                now=self.clock.now(),
                stop=stop or threading.Event(),
                dry=dry,
            ).run()

    def keys(self, prefix: str = "") -> set[str]:
        return {info.key for info in self.objects.list(prefix)}

    def read(self, digest: str) -> dict[str, bytes]:
        """Return the files of a snapshot, read by somebody who remembers nothing."""
        snapshots = self.new_snapshots()
        manifest = snapshots.load(digest)
        contents = snapshots.contents(manifest)
        return {entry.path: b"".join(contents.read(entry)) for entry in manifest.files()}
