from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.workspace.index import Index, Known, signature

DIGEST = "d" * 64
SECOND = 1_000_000_000


def seen(path: Path) -> os.stat_result:
    return path.stat(follow_symlinks=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    return path


def index_of(file: Path, taken_ns: int | None = None) -> Index:
    status = seen(file)
    late = status.st_ctime_ns + 10 * SECOND
    known = {"file": Known(signature(status), DIGEST)}
    return Index(late if taken_ns is None else taken_ns, known)


def test_a_file_that_did_not_change_is_known(file: Path) -> None:
    assert index_of(file).digest("file", seen(file)) == DIGEST


def test_another_file_is_not_known(file: Path) -> None:
    assert index_of(file).digest("other", seen(file)) is None
    assert Index().digest("file", seen(file)) is None


def test_every_change_shows(file: Path) -> None:
    index = index_of(file)
    before = seen(file)
    file.write_bytes(b"54321")
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert index.digest("file", seen(file)) is None


@pytest.mark.parametrize("field", range(6))
def test_each_part_of_the_signature_counts(file: Path, field: int) -> None:
    known = index_of(file).known["file"]
    changed = tuple(value + (place == field) for place, value in enumerate(known.signature))
    assert len(changed) == 6
    index = Index(index_of(file).taken_ns, {"file": Known(changed, DIGEST)})
    assert index.digest("file", seen(file)) is None


def status_changed_at(file: Path, ctime_ns: int) -> os.stat_result:
    fields = list(seen(file))
    return os.stat_result(fields, {"st_ctime_ns": ctime_ns, "st_mtime_ns": 5})


@pytest.mark.parametrize(
    ("ctime_ns", "later_ns", "trusted"),
    [
        (7 * SECOND + 1, 30_000_000, True),
        (7 * SECOND + 1, 10_000_000, False),
        (7 * SECOND + 1, 0, False),
        (7 * SECOND + 1, -SECOND, False),
        (7 * SECOND, 30_000_000, False),
        (7 * SECOND, 1_500_000_000, False),
        (7 * SECOND, 2_500_000_000, True),
    ],
)
def test_a_file_that_changed_within_a_tick_is_not_trusted(
    file: Path, ctime_ns: int, later_ns: int, trusted: bool
) -> None:
    status = status_changed_at(file, ctime_ns)
    index = Index(ctime_ns + later_ns, {"file": Known(signature(status), DIGEST)})
    assert (index.digest("file", status) is not None) == trusted


def test_what_is_saved_can_be_loaded(tmp_path: Path, file: Path) -> None:
    index = index_of(file)
    more = Index(-5, {**index.known, "é/b c": Known((1, 2**64 - 1, 3, -4, 5, 6), "0" * 64)})
    for saved in (index, more, Index()):
        saved.save(tmp_path / "index")
        assert Index.load(tmp_path / "index") == saved


def test_saving_leaves_nothing_else(tmp_path: Path) -> None:
    Index().save(tmp_path / "index")
    Index().save(tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_numbers_that_do_not_fit_are_forgotten(tmp_path: Path, file: Path) -> None:
    odd = Known((1, 2, 3, 2**63, 5, 6), DIGEST)
    Index(1, {"odd": odd, **index_of(file).known}).save(tmp_path / "index")
    assert list(Index.load(tmp_path / "index").known) == ["file"]


def test_a_missing_index_is_empty(tmp_path: Path) -> None:
    assert Index.load(tmp_path / "absent") == Index()
    assert Index.load(tmp_path) == Index()


def test_a_damaged_or_foreign_index_is_empty(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "index"
    index_of(file).save(path)
    good = path.read_bytes()
    for position in range(len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        assert Index.load(path) == Index()
    for bad in (b"", good[:-1], good + b"x", b"DIRC" + bytes(100)):
        path.write_bytes(bad)
        assert Index.load(path) == Index()
