"""One sweep: what no run needs any more is removed, first from the database, then from the store.

The order makes it safe to die anywhere: a manifest goes before its packs, so there is never one
whose packs are gone; and the next sweep finds by itself whatever this one did not come to.
`docs/operate/retention.md` says why nothing is lost that somebody is just about to use.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from sqlalchemy import Connection

from runner.database import repositories
from runner.database.connection import Database
from runner.database.repositories import Repository
from runner.objects.base import ObjectInfo, ObjectMissing
from runner.retention import expiry
from runner.retention.catalogue import Catalogue
from runner.retention.errors import StoreForeign, SweepStopped
from runner.retention.policy import Policy, policy_of
from runner.retention.report import Removed, Report
from runner.settings_model import Retention
from runner.workspace.errors import ManifestInvalid, SnapshotMissing
from runner.workspace.packs import pack_key
from runner.workspace.snapshots import Snapshots, snapshot_key, trash_key

T = TypeVar("T")

_AT_ONCE = 1000
_READERS = 4

# Which of these keys must stay, whatever their age.
_Needed: TypeAlias = Callable[[Collection[str]], set[str]]


@runtime_checkable
class Tidies(Protocol):
    """A store that can remove what writers that died left half-written before a time."""

    def tidy(self, before: float) -> int:
        """Return how many things were removed."""


@dataclass
class Sweep:
    """One sweep of everything, as of a moment in seconds since the epoch.

    With `dry` nothing is removed from the database; for the store, `snapshots` must then be on one
    that is `Untouched`. `stop` ends the sweep early.
    """

    database: Database
    snapshots: Snapshots
    catalogue: Catalogue
    settings: Retention
    now: float
    stop: threading.Event
    dry: bool = False
    report: Report = field(default_factory=Report)

    def run(self) -> Report:
        """Do it and return what was removed.

        Raises `StoreForeign`, `SweepStopped`, `DatabaseError` and `ObjectStoreError`; the next
        sweep then does the rest.
        """
        at = self.now - self.settings.grace
        self._remove_rows(at)
        before = self._mark(at)
        self._read_manifests()
        self._remove_manifests()
        self.catalogue.prune()
        for prefix, (kind, needed) in self._rules().items():
            self._remove_objects(prefix, before, kind, needed)
        store = self.snapshots.objects
        if isinstance(store, Tidies):
            store.tidy(before)
        return self.report

    def _rules(self) -> Mapping[str, tuple[Removed | None, _Needed]]:
        """Return of every other prefix what lies there, and what of it must stay."""
        packs = self.catalogue.needed
        return {
            "packs/": (Removed.PACKS, packs),
            "again/": (Removed.PACKS, packs),
            "attempts/": (Removed.LEFTOVERS, self._needed_of_attempts),
            "logs/": (Removed.LOGS, self._needed_logs),
            "trash/": (None, lambda _: set()),
        }

    def _policies(self, tx: Connection) -> Iterator[tuple[Repository, Policy]]:
        for repository in repositories.listing(tx):
            yield repository, policy_of(self.settings, repository.name)

    def _remove_rows(self, at: float) -> None:
        """Remove the runs that are over, and the deliveries that led to none."""
        with self.database.read() as tx:
            policies = list(self._policies(tx))
            if self.dry:
                for one in policies:
                    runs, deliveries = (
                        expiry.count_runs(tx, *one, at),
                        expiry.count_deliveries(tx, *one, at),
                    )
                    self.report.removed += Counter(
                        {Removed.RUNS: runs, Removed.DELIVERIES: deliveries}
                    )
                return
        for repository, policy in policies:
            for kind, remove in (
                (Removed.RUNS, expiry.remove_runs),
                (Removed.DELIVERIES, expiry.remove_deliveries),
            ):
                while count := self._removed_rows(remove, repository, policy, at):
                    self.report.removed[kind] += count

    def _removed_rows(
        self,
        remove: Callable[[Connection, Repository, Policy, float], int],
        repository: Repository,
        policy: Policy,
        at: float,
    ) -> int:
        self._go_on()
        return self.database.transact(lambda tx: remove(tx, repository, policy, at))

    def _mark(self, at: float) -> float:
        """Write into the catalogue what runs need, then what there is; return the time before
        which an object is old enough to go.

        What runs that go on are just about to need is in no row yet: it is as young as they are.
        """
        self.catalogue.begin()
        with self.database.read() as tx:
            begun = expiry.oldest_begin(tx)
            self.catalogue.add_runs(expiry.all_runs(tx), workspaces=False)
            for repository, policy in self._policies(tx):
                kept = expiry.with_workspaces(tx, repository, policy, at)
                self.catalogue.add_runs(kept, workspaces=True)
                self.catalogue.keep(expiry.snapshots(tx, repository, policy, at))
            known = expiry.any_run(tx)
        before = min(self.now, self.now if begun is None else begun) - self.settings.grace
        listed = self._listing("snapshots/")
        for batch in _batches(listed):
            if not known:
                raise StoreForeign
            self._go_on()
            self.catalogue.found(
                (digest, info.modified >= before)
                for info in batch
                if snapshot_key(digest := _name(info.key)) == info.key
            )
        return before

    def _read_manifests(self) -> None:
        """Read all that must stay and is not known yet, and what that came from."""
        with ThreadPoolExecutor(_READERS, thread_name_prefix="sweep") as pool:
            while digests := self.catalogue.unread():
                for some in _batches(digests, _READERS):
                    self._go_on()
                    for digest, header in zip(some, pool.map(self._header, some), strict=True):
                        self._learn(digest, header)

    def _header(self, digest: str) -> tuple[tuple[str, ...], list[str]] | Exception:
        """Return the parents of a snapshot and the keys of its packs, or why they are not known."""
        try:
            parents, packs = self.snapshots.header(digest)
        except (SnapshotMissing, ManifestInvalid) as error:
            return error
        return parents, [pack_key(name, pack.at) for name, pack in packs.items()]

    def _learn(self, digest: str, header: tuple[tuple[str, ...], list[str]] | Exception) -> None:
        if isinstance(header, tuple):
            self.catalogue.learn(digest, *header)
            return
        amiss = self.report.missing if isinstance(header, SnapshotMissing) else self.report.damaged
        amiss.append(digest)
        self.catalogue.give_up(digest)

    def _remove_manifests(self) -> None:
        """Remove what need not stay; for a while it can be had back, see `Snapshots.header`."""
        store = self.snapshots.objects
        while digests := self.catalogue.doomed():
            self._go_on()
            for digest in digests:
                try:
                    stored = store.get(snapshot_key(digest))
                except ObjectMissing:
                    continue
                store.put(trash_key(digest), stored)
                self._count(Removed.SNAPSHOTS, len(stored))
            store.delete([snapshot_key(digest) for digest in digests])
            self.catalogue.forget(digests)

    def _remove_objects(
        self, prefix: str, before: float, kind: Removed | None, needed: _Needed
    ) -> None:
        """Remove what lies below a prefix, is old enough, and must not stay."""
        old = (info for info in self._listing(prefix) if info.modified < before)
        for batch in _batches(old):
            self._go_on()
            staying = needed([info.key for info in batch])
            going = [info for info in batch if info.key not in staying]
            self.snapshots.objects.delete([info.key for info in going])
            for info in going:
                self._count(kind, info.size)

    def _needed_of_attempts(self, keys: Collection[str]) -> set[str]:
        """Return what must stay of what Pods wrote: packs as everywhere, and all else of a run
        that keeps its workspaces."""
        packs = {key for key in keys if key.split("/")[3:4] == ["packs"]}
        runs = self.catalogue.runs({_run(key) for key in keys}, workspaces=True)
        rest = {key for key in keys if key not in packs and _run(key) in runs}
        return rest | self.catalogue.needed(packs)

    def _needed_logs(self, keys: Collection[str]) -> set[str]:
        runs = self.catalogue.runs({_run(key) for key in keys}, workspaces=False)
        return {key for key in keys if _run(key) in runs}

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        return self.snapshots.objects.list(prefix)

    def _count(self, kind: Removed | None, size: int) -> None:
        if kind is not None:
            self.report.removed[kind] += 1
            self.report.size += size

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise SweepStopped


def _batches(items: Iterable[T], count: int = _AT_ONCE) -> Iterator[list[T]]:
    waiting = iter(items)
    while batch := list(islice(waiting, count)):
        yield batch


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _run(key: str) -> str:
    """Return the run in `logs/<run>/...` and `attempts/<run>/...`."""
    return key.split("/")[1]
