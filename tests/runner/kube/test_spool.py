"""The file of a log while it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.kube.spool import MISSING, Spool, is_whole, replace_log

LINES = [b"1750000000.%06d line %d\n" % (number, number) for number in range(12)]
OFFSETS = [sum(map(len, LINES[:number])) for number in range(12)]
WHOLE = b"".join(LINES)


@pytest.fixture(name="path")
def a_file(tmp_path: Path) -> Path:
    return tmp_path / "step.log"


def test_lines_are_kept_in_order_once(path: Path) -> None:
    spool = Spool(path)
    for _ in range(2):
        for offset, line in zip(OFFSETS, LINES, strict=True):
            assert spool.append(offset, line)
    spool.close()
    assert path.read_bytes() == WHOLE
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_kept_before_is_taken_up(path: Path) -> None:
    path.write_bytes(WHOLE[:100])
    spool = Spool(path)
    for offset, line in zip(OFFSETS, LINES, strict=True):
        assert spool.append(offset, line)
    spool.close()
    assert path.read_bytes() == WHOLE


def test_a_torn_line_is_found_however_long_it_is(path: Path) -> None:
    path.write_bytes(LINES[0] + b"x" * 200_000)
    spool = Spool(path)
    assert spool.size == len(LINES[0])
    spool.close()
    path.write_bytes(b"x" * 200_000)
    spool = Spool(path)
    assert spool.size == 0
    spool.close()


def test_nothing_is_kept_beyond_a_gap(path: Path) -> None:
    spool = Spool(path)
    assert spool.append(0, LINES[0])
    assert not spool.append(OFFSETS[2], LINES[2])
    spool.close()
    assert path.read_bytes() == LINES[0]


def test_a_gap_is_marked_and_every_byte_keeps_its_place(path: Path) -> None:
    spool = Spool(path)
    spool.append(0, LINES[0])
    spool.skip_to(OFFSETS[5], b"1750000000.000005")
    spool.skip_to(OFFSETS[5], b"again")
    assert spool.append(OFFSETS[5], LINES[5])
    spool.close()
    first, gap, last = path.read_bytes().splitlines(keepends=True)
    assert (first, last) == (LINES[0], LINES[5])
    assert gap.startswith(b"1750000000.000005 " + MISSING)
    assert len(gap) == OFFSETS[5] - len(LINES[0])


@pytest.mark.parametrize("room", [19, 20, 33, 34, 35])
def test_a_gap_of_one_short_line_is_marked_too(path: Path, room: int) -> None:
    spool = Spool(path)
    spool.skip_to(room, b"1750000000.000005")
    spool.close()
    assert MISSING in path.read_bytes()
    assert path.read_bytes().endswith(b"\n")
    assert path.stat().st_size == room


def test_a_log_is_whole_if_it_has_its_size_and_no_gap(path: Path) -> None:
    assert is_whole(path, 0)
    assert not is_whole(path, 1)
    assert not is_whole(path, None)
    path.write_bytes(WHOLE)
    assert is_whole(path, len(WHOLE))
    assert not is_whole(path, len(WHOLE) + 1)
    assert not is_whole(path, None)
    spool = Spool(path)
    spool.skip_to(len(WHOLE) + 50, b"1.0")
    spool.close()
    assert not is_whole(path, len(WHOLE) + 50)


def test_the_whole_log_takes_its_place(path: Path) -> None:
    path.write_bytes(b"0 [lines missing]\n")
    with path.open("rb") as reader:
        replace_log(path, WHOLE)
        assert path.read_bytes() == WHOLE
        assert reader.read() == b"0 [lines missing]\n"
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


@given(order=st.lists(st.integers(0, 11), max_size=40), torn=st.integers(0, len(WHOLE)))
def test_whatever_is_told_again_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], torn: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "log"
    path.write_bytes(WHOLE[:torn])
    spool = Spool(path)
    for number in order:
        if not spool.append(OFFSETS[number], LINES[number]):
            spool.skip_to(OFFSETS[number], b"1.0")
            assert spool.append(OFFSETS[number], LINES[number])
    spool.close()
    kept = path.read_bytes()
    if MISSING not in kept:
        assert WHOLE.startswith(kept)
    assert len(kept) == spool.size
    for number in order:
        assert len(kept) >= OFFSETS[number] + len(LINES[number])
