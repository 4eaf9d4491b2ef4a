from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.retention.catalogue import Catalogue
from runner.retention.errors import SweepUnderWay


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    with closing(Catalogue()) as opened:
        opened.begin()
        yield opened


def found(catalogue: Catalogue, *digests: str, young: bool = False) -> None:
    catalogue.found((digest, young) for digest in digests)


def test_what_must_stay_is_read_with_all_that_it_came_from(catalogue: Catalogue) -> None:
    found(catalogue, "source", "a", "b", "other")
    catalogue.keep(["b"])
    read = []
    parents = {"b": ["a"], "a": ["source"], "source": []}
    while unread := catalogue.unread():
        for digest in unread:
            read.append(digest)
            catalogue.learn(digest, parents[digest], [f"packs/{digest}", "packs/shared"])
    assert read == ["b", "a", "source"]
    assert catalogue.doomed() == ["other"]


def test_what_is_young_stays_whoever_needs_it(catalogue: Catalogue) -> None:
    found(catalogue, "old")
    found(catalogue, "young", young=True)
    found(catalogue, "young")
    assert catalogue.unread() == ["young"]
    assert catalogue.doomed() == ["old"]


def test_what_is_known_is_not_read_again_but_still_leads_up(catalogue: Catalogue) -> None:
    catalogue.keep(["b"])
    for digest, parents in (("b", ["a"]), ("a", ["source"]), ("source", [])):
        found(catalogue, digest)
        catalogue.learn(digest, parents, [])
    catalogue.begin()
    found(catalogue, "source", "a", "b", "other")
    catalogue.keep(["b"])
    assert catalogue.unread() == []
    assert catalogue.doomed() == ["other"]


def test_what_the_store_does_not_list_is_looked_for_once_in_each_sweep(
    catalogue: Catalogue,
) -> None:
    catalogue.keep(["known", "unknown"])
    catalogue.learn("known", [], ["packs/1"])
    assert catalogue.unread() == ["unknown"]
    catalogue.give_up("unknown")
    assert catalogue.unread() == []
    catalogue.begin()
    catalogue.keep(["known", "unknown"])
    assert catalogue.unread() == ["known", "unknown"]


def test_packs_are_needed_by_the_manifests_that_stay(catalogue: Catalogue) -> None:
    found(catalogue, "live", "dead")
    catalogue.keep(["live"])
    catalogue.learn("live", [], ["packs/1", "attempts/r/a/packs/2"])
    catalogue.learn("dead", ["live"], ["packs/1", "packs/3"])
    assert catalogue.doomed() == ["dead"]
    catalogue.forget(["dead"])
    assert catalogue.doomed() == []
    catalogue.prune()
    asked = ["packs/1", "attempts/r/a/packs/2", "packs/3", "packs/4"]
    assert catalogue.needed(asked) == {"packs/1", "attempts/r/a/packs/2"}


def test_runs_are_there_or_keep_their_workspaces(catalogue: Catalogue) -> None:
    catalogue.add_runs(["a", "b"], workspaces=False)
    catalogue.add_runs(["b", "c"], workspaces=True)
    catalogue.add_runs(["b"], workspaces=False)
    assert catalogue.runs(["a", "b", "x"], workspaces=False) == {"a", "b"}
    assert catalogue.runs(["a", "b", "c", "x"], workspaces=True) == {"b", "c"}
    catalogue.begin()
    assert catalogue.runs(["a", "b"], workspaces=False) == set()


def test_many_at_once(catalogue: Catalogue) -> None:
    found(catalogue, *(f"{number}" for number in range(2500)))
    seen = 0
    while doomed := catalogue.doomed():
        seen += len(doomed)
        catalogue.forget(doomed)
    assert seen == 2500


def test_it_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with closing(Catalogue(path)) as catalogue:
        catalogue.keep(["a"])
        catalogue.learn("a", ["source"], ["packs/1"])
    with closing(Catalogue(path)) as catalogue:
        assert catalogue.needed(["packs/1"]) == {"packs/1"}


def test_only_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with closing(Catalogue(path)), pytest.raises(SweepUnderWay, match=r"sweep\.db"):
        Catalogue(path)
    Catalogue(path).close()


def test_a_write_that_fails_leaves_nothing(catalogue: Catalogue) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise LookupError

    with pytest.raises(LookupError):
        catalogue.keep(broken())
    with pytest.raises(sqlite3.Error):
        catalogue.learn("a", [], [object()])  # type: ignore[list-item]
    assert catalogue.unread() == []


@pytest.mark.parametrize("text", ["no database at all " * 99, ""])
def test_what_is_no_catalogue_is_made_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sweep.db"
    path.write_text(text)
    with closing(Catalogue(path)) as catalogue:
        assert catalogue.unread() == []


def test_one_of_another_format_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE manifest (other TEXT)")
        database.execute("PRAGMA user_version = 99")
    with closing(Catalogue(path)) as catalogue:
        catalogue.keep(["a"])
        assert catalogue.unread() == ["a"]


def test_a_place_where_none_can_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Catalogue(tmp_path / "absent" / "sweep.db")
