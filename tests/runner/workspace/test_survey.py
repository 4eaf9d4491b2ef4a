from __future__ import annotations

from pathlib import Path

from runner.workspace.index import Index, Known, signature
from runner.workspace.manifest import Entry, Kind
from runner.workspace.staging import Staging
from runner.workspace.survey import Survey
from runner.workspace.tree import Tree
from tests.runner.workspace.trees import FOLDER, File, Link, later, read, write

ONE = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"  # of "1"


def survey(root: Path, *entries: Entry, index: Index | None = None) -> tuple[set[str], set[str]]:
    """Survey a directory; return which paths agree, and of which files something is known."""
    with Tree(root) as tree, Staging(tree.directory(""), ()) as staging:
        found = Survey(tree, staging, {entry.path: entry for entry in entries}, index or Index())
        found.run()
    return found.present, set(found.known)


def one(path: str) -> Entry:
    """An entry for a file that holds "1"."""
    return Entry(path, size=1, digest=ONE, modified_ns=7)


def test_what_agrees_stays(tmp_path: Path) -> None:
    write(tmp_path, {"d": FOLDER, "d/f": File(b"1"), "l": Link("d")})
    entries = [Entry("d", Kind.DIRECTORY), one("d/f"), Entry("l", Kind.SYMLINK, target="d")]
    assert survey(tmp_path, *entries) == ({"d", "d/f", "l"}, {"d/f"})
    assert read(tmp_path)["d/f"] == File(b"1", modified_ns=7)


def test_another_file_stays_until_it_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, {"same size": File(b"2"), "other size": File(b"22")})
    assert survey(tmp_path, one("same size"), one("other size")) == (set(), set())
    assert set(read(tmp_path)) == {"same size", "other size"}


def test_what_is_in_the_way_goes(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"f": FOLDER, "f/x": File(), "d": File(), "l": Link("d"), "m": FOLDER, "more": File()},
    )
    entries = [
        one("f"),
        Entry("d", Kind.DIRECTORY),
        Entry("l", Kind.SYMLINK, target="f"),
        Entry("m", Kind.SYMLINK, target="f"),
    ]
    assert survey(tmp_path, *entries) == (set(), set())
    assert read(tmp_path) == {}


def test_what_the_index_says_is_believed(tmp_path: Path) -> None:
    write(tmp_path, {"f": File(b"1"), "g": File(b"1")})
    known = {
        "f": Known(signature((tmp_path / "f").stat()), ONE),
        "g": Known(signature((tmp_path / "g").stat()), "0" * 64),
    }
    index = Index(later(), known)
    assert survey(tmp_path, one("f"), one("g"), index=index) == ({"f"}, {"f"})
