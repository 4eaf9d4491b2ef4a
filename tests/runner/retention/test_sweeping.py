from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from runner.objects.base import ObjectStoreError
from runner.objects.filesystem import FilesystemStore
from runner.retention.errors import StoreForeign, SweepStopped
from runner.retention.report import Removed, Report
from runner.retention.untouched import Untouched
from runner.workspace.adopting import adopt
from runner.workspace.errors import SnapshotMissing
from runner.workspace.merge import merge_snapshots
from runner.workspace.snapshots import snapshot_key, trash_key
from tests.runner.retention.world import DAY, HOUR, Hesitant, World


def a_run_with_steps(
    world: World, text: bytes = b"1", branch: str = "side"
) -> tuple[str, str, str]:
    """Add an ended run: its source, and what two steps left one after the other."""
    source = world.source({"a": b"source " + text})
    first = world.left(source, {"b": b"first " + text})
    second = world.left(first, {"c": b"second " + text})
    run = world.run(source=source, branch=branch)
    world.attempt(run, "first", first)
    world.attempt(run, "second", second)
    return source, first, second


def test_what_a_run_left_goes_with_its_time_and_a_grace(world: World) -> None:
    world.run()
    digests = a_run_with_steps(world, branch="side")
    a_run_with_steps(world, b"2", branch="side")
    world.clock.advance(10 * DAY)
    before = world.keys()
    assert world.sweep().sentence() == "nothing to remove"
    assert world.keys() == before
    world.clock.advance(DAY + HOUR)
    report = world.sweep()
    assert (report.removed[Removed.SNAPSHOTS], report.removed[Removed.PACKS]) == (3, 3)
    for digest in digests:
        assert world.objects.size(snapshot_key(digest)) is None
    assert len(world.keys("packs/")) == 3
    assert report.size > 0
    assert not report.missing


def test_all_that_a_kept_run_needs_stays(world: World) -> None:
    source, first, second = a_run_with_steps(world, branch="main")
    world.clock.advance(400 * DAY)
    for _ in range(2):
        assert not world.sweep().removed
    assert world.read(source) == {"a": b"source 1"}
    assert world.read(first) == {"a": b"source 1", "b": b"first 1"}
    assert set(world.read(second)) == {"a", "b", "c"}


def test_what_a_live_snapshot_came_from_stays_for_merges(world: World) -> None:
    source = world.source({"a": b"1"})
    sides = [world.left(source, {name: name.encode()}) for name in ("x", "y")]
    merged, _ = merge_snapshots([("x", sides[0]), ("y", sides[1])], world.new_snapshots())
    last = world.left(merged, {"z": b"z"})
    run = world.run()
    world.attempt(run, "last", last)
    world.clock.advance(400 * DAY)
    assert not world.sweep().removed
    assert world.new_snapshots().lineage([last]) == {last, merged, *sides, source}
    assert set(world.read(merged)) == {"a", "x", "y"}


def test_packs_that_several_share_stay_for_the_last(world: World) -> None:
    source = world.source({"a": b"shared"})
    old = world.run(source=source, branch="side")
    world.attempt(old, "step", world.left(source, {"b": b"only here"}))
    world.clock.advance(11 * DAY)
    base = world.snapshots.load(source)
    again = world.source({"a": b"shared", "c": b"new"}, base)
    world.run(source=again, branch="side")
    world.clock.advance(2 * DAY)
    report = world.sweep()
    assert (report.removed[Removed.SNAPSHOTS], report.removed[Removed.PACKS]) == (2, 1)
    assert world.read(again) == {"a": b"shared", "c": b"new"}


def test_what_a_run_that_goes_on_is_about_to_need_stays(world: World) -> None:
    """Its merges, and what its steps left while the server was away, are in no row yet."""
    source = world.source({"a": b"1"})
    run = world.run(source=source, ended=None)
    world.clock.advance(HOUR)
    left = world.left(source, {"b": b"2"})
    world.clock.advance(30 * DAY)
    assert not world.sweep().removed
    world.attempt(run, "step", left)
    assert set(world.read(left)) == {"a", "b"}


def test_what_nobody_needs_goes_although_runs_go_on(world: World) -> None:
    world.source({"a": b"orphan"})
    world.clock.advance(DAY - HOUR)
    run = world.run(ended=None)
    world.clock.advance(5 * DAY)
    assert not world.sweep().removed
    world.change(run, started_at=run.created_at + 2 * HOUR)
    assert world.sweep().removed == {Removed.SNAPSHOTS: 1, Removed.PACKS: 1}


def test_the_young_keep_the_packs_and_the_ancestors_of_the_old(world: World) -> None:
    source = world.source({"a": b"1"})
    world.run()
    world.clock.advance(5 * DAY)
    left = world.left(source, {"b": b"2"})
    world.clock.advance(DAY)
    assert not world.sweep().removed
    assert set(world.read(left)) == {"a", "b"}
    world.clock.advance(HOUR)
    assert world.sweep().removed[Removed.SNAPSHOTS] == 2


def test_what_is_removed_can_be_had_back_for_a_while(world: World) -> None:
    world.run()
    digest = world.source({})
    world.clock.advance(2 * DAY)
    assert world.sweep().removed == {Removed.SNAPSHOTS: 1}
    assert world.keys("trash/") == {trash_key(digest)}
    world.run(source=digest)
    world.clock.advance(2 * DAY)
    report = world.sweep()
    assert (report.missing, world.keys("trash/")) == ([], set())
    assert world.read(digest) == {}


def test_it_is_not_to_be_had_for_ever(world: World) -> None:
    world.run()
    digest = world.source({})
    world.clock.advance(2 * DAY)
    world.sweep()
    world.clock.advance(2 * DAY)
    world.sweep()
    assert world.keys() == set()
    with pytest.raises(SnapshotMissing):
        world.read(digest)


def test_a_pack_that_is_stored_anew_in_the_moment_of_its_removal(world: World) -> None:
    """Its age was looked at before, and the removal cannot be called back."""
    world.run()
    world.source({"a": b"1"})
    world.clock.advance(2 * DAY)
    made: list[str] = []

    def meanwhile(act: str, key: str) -> None:
        if act == "delete" and key.startswith("packs/") and not made:
            made.append(world.source({"a": b"1"}))
            world.run(source=made[0])

    report = world.sweep(objects=Hesitant(world.objects, meanwhile))
    assert report.removed == {Removed.SNAPSHOTS: 1, Removed.PACKS: 1}
    assert world.read(made[0]) == {"a": b"1"}


def test_a_manifest_that_is_stored_anew_in_the_moment_of_its_removal(world: World) -> None:
    world.run()
    source = world.source({"a": b""})
    world.clock.advance(2 * DAY)
    made: list[str] = []

    def meanwhile(act: str, key: str) -> None:
        if act == "delete" and key == snapshot_key(source):
            made.append(world.source({"a": b""}))
            world.run(source=made[0])

    assert world.sweep(objects=Hesitant(world.objects, meanwhile)).removed
    assert made == [source]
    assert world.read(source) == {"a": b""}


def test_two_sweeps_at_once_are_harmless(world: World) -> None:
    world.run()
    digests = {world.source({name: b""}) for name in "abc"}
    world.clock.advance(2 * DAY)
    others: list[Report] = []

    def meanwhile(act: str, key: str) -> None:
        if act == "put" and not others:
            others.append(world.sweep())

    report = world.sweep(objects=Hesitant(world.objects, meanwhile))
    removed = Removed.SNAPSHOTS
    assert (others[0].removed[removed], report.removed[removed]) == (3, 1)
    assert world.keys("snapshots/") == set()
    assert world.keys("trash/") == {trash_key(digest) for digest in digests}


def test_what_is_captured_upon_a_source_that_expires_meanwhile(world: World) -> None:
    old = world.run(branch="side", source=world.source({"a": b"1"}))
    assert old.source is not None
    world.run(branch="side")
    world.clock.advance(10 * DAY - HOUR)
    base = world.snapshots.load(old.source)
    world.clock.advance(2 * HOUR)
    assert not world.sweep().removed
    fresh = world.source({"a": b"1", "b": b"2"}, base)
    world.run(source=fresh)
    world.clock.advance(2 * DAY)
    assert world.sweep().removed == {Removed.SNAPSHOTS: 1}
    assert set(world.read(fresh)) == {"a", "b"}


def test_what_pods_left(world: World) -> None:
    source = world.source({"a": b"1"})
    run = world.run(source=source, branch="side", ended=DAY)
    home = f"attempts/{run.id}/build-1234-1"
    left = world.left(source, {"b": b"2"}, home=home)
    adopt(world.new_snapshots(), left, home, {source})
    world.attempt(run, "build", left)
    for name in ("order", "result", "log", "packs/" + "0" * 64):
        world.objects.put(f"{home}/{name}", b"x")
    world.objects.put("attempts/unknown/build-1/order", b"x")
    (pack,) = (key for key in world.keys(f"{home}/packs/") if "0" * 64 not in key)
    world.run(branch="side")
    world.clock.advance(DAY - HOUR)
    assert not world.sweep().removed
    world.clock.advance(2 * HOUR)
    assert world.sweep().removed == {Removed.LEFTOVERS: 2}
    assert {key.removeprefix(f"{home}/") for key in world.keys("attempts/")} == {
        "log",
        "order",
        "result",
        pack.removeprefix(f"{home}/"),
        f"snapshots/{left}",
    }
    assert set(world.read(left)) == {"a", "b"}
    world.clock.advance(12 * DAY)
    world.sweep()
    assert world.keys("attempts/") == set()


def test_a_pack_of_another_attempt_stays_for_whoever_builds_upon_it(world: World) -> None:
    source = world.source({"a": b"1"})
    first, second = world.run(branch="side"), world.run(branch="side", ended=15 * DAY)
    home = f"attempts/{first.id}/build-1234-1"
    left = world.left(source, {"b": b"2"}, home=home)
    adopt(world.new_snapshots(), left, home, {source})
    world.attempt(second, "later", world.left(left, {"c": b"3"}))
    world.clock.advance(20 * DAY)
    world.sweep()
    assert len(world.keys("attempts/")) == 1
    assert set(world.read(left)) == {"a", "b"}


def test_logs_go_with_their_runs(world: World) -> None:
    run = world.run(branch="side")
    world.run(branch="side")
    world.objects.put(f"logs/{run.id}/build-1234-1", b"text")
    world.clock.advance(20 * DAY + DAY - HOUR)
    assert not world.sweep().removed
    world.clock.advance(2 * HOUR)
    assert world.sweep(dry=True).removed[Removed.RUNS] == 1
    assert world.row(run) is not None
    report = world.sweep()
    assert report.removed == {Removed.RUNS: 1, Removed.LOGS: 1}
    assert (world.row(run), world.keys()) == (None, set())


def test_what_lies_elsewhere_is_left_alone(world: World) -> None:
    world.run()
    odd = {"other/thing", "snapshots/odd", "snapshots/ab/" + "0" * 64}
    for key in odd:
        world.objects.put(key, b"x")
    world.clock.advance(400 * DAY)
    world.sweep()
    assert world.keys() == odd


def test_other_times_for_some_repositories(world: World) -> None:
    world.settings = world.settings.model_copy(update={"repositories": ("acme/big=1d/2d",)})
    big = world.new_repository("acme/big")
    for repository in (big, world.repository):
        for _ in range(2):
            world.run(repository=repository, source=world.source({"a": repository.name.encode()}))
            world.clock.advance(1)
    # The newest of each stays; both have the same source as the one before it.
    world.clock.advance(3 * DAY + HOUR)
    assert world.sweep().removed == {Removed.RUNS: 1}


def test_a_store_of_another_database_is_left_alone(world: World) -> None:
    digest = world.source({"a": b"1"})
    world.clock.advance(400 * DAY)
    with pytest.raises(StoreForeign, match="knows of no run"):
        world.sweep()
    assert world.read(digest) == {"a": b"1"}
    world.run()
    assert world.sweep().removed


def test_without_anything_there_is_nothing_to_do(world: World) -> None:
    assert world.sweep().sentence() == "nothing to remove"


def test_what_is_missing_or_damaged_is_named_and_the_rest_goes_on(world: World) -> None:
    source, first, second = a_run_with_steps(world, branch="main")
    gone, bad = world.source({"g": b"gone"}), world.source({"d": b"damaged"})
    run = world.run(source=gone)
    world.attempt(run, "step", bad)
    world.objects.delete([snapshot_key(gone)])
    world.objects.put(snapshot_key(bad), b"rubbish")
    report = world.sweep()
    assert (report.missing, report.damaged) == ([gone], [bad])
    assert "1 snapshots that runs need are missing" in report.sentence()
    assert set(world.read(second)) == {"a", "b", "c"}
    assert source != first


def test_a_sweep_remembers_what_it_has_read(world: World, tmp_path: Path) -> None:
    world.catalogue = tmp_path / "sweep.db"
    _, _, second = a_run_with_steps(world, branch="main")
    world.sweep()
    reads: list[str] = []

    class Watched(Untouched):
        def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
            reads.append(key)
            return super().get(key, start, length)

    world.sweep(objects=Watched(world.objects))
    assert reads == []
    assert set(world.read(second)) == {"a", "b", "c"}


def test_a_sweep_that_is_stopped_does_no_more(world: World) -> None:
    a_run_with_steps(world)
    world.run()
    world.clock.advance(400 * DAY)
    before = world.keys()
    stop = threading.Event()
    stop.set()
    with pytest.raises(SweepStopped, match="the next one does the rest"):
        world.sweep(stop=stop)
    assert world.keys() == before


class Dying(Untouched):
    """Does so many writes and no more."""

    def __init__(self, world: World, writes: int) -> None:
        super().__init__(world.objects)
        self._objects = world.objects
        self._left = writes

    def put(self, key: str, data: bytes) -> None:
        self._die()
        self._objects.put(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._die()
            self._objects.delete([key])

    def _die(self) -> None:
        if not self._left:
            message = "the machine has died"
            raise ObjectStoreError(message)
        self._left -= 1


def test_wherever_a_sweep_dies_no_manifest_is_left_without_its_packs(
    world: World, tmp_path: Path
) -> None:
    world.catalogue = tmp_path / "sweep.db"
    kept = a_run_with_steps(world, b"kept", branch="main")
    for number in range(3):
        a_run_with_steps(world, b"%d" % number, branch=f"side{number}")
        world.run(branch=f"side{number}")
    world.clock.advance(15 * DAY)
    writes = 0
    while world.keys("packs/") - {key for digest in kept for key in needs(world, digest)}:
        with suppress(ObjectStoreError):
            world.sweep(objects=Dying(world, writes))
        writes += 1
        for key in world.keys("snapshots/"):
            assert world.read(key.rpartition("/")[2])
    assert writes > 5
    assert len(world.keys("snapshots/")) == 3


def needs(world: World, digest: str) -> tuple[str, ...]:
    return world.new_snapshots().keys(digest)


def test_a_store_of_files_is_tidied(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    store = FilesystemStore(folder, durable=False)
    store.put("other", b"x")
    (folder / "~half").write_bytes(b"x")
    world.clock.advance(3e9)
    world.sweep(objects=store)
    assert [path.name for path in folder.iterdir()] == ["other"]
