from __future__ import annotations

import struct

import pytest

from runner.workspace.seektable import BadTable, read_table, table_size, write_table

FRAMES = [(10, 100), (20, 50), (5, 7)]
PACK = {"frames": 3, "size": 35 + table_size(3), "length": 157}


def test_the_bytes_are_those_of_the_seekable_format() -> None:
    assert write_table([(10, 100)]) == struct.pack(
        "<II II IBI", 0x184D2A5E, 17, 10, 100, 1, 0, 0x8F92EAB1
    )


def test_a_table_tells_where_frames_begin() -> None:
    table = read_table(write_table(FRAMES), **PACK, frame_limit=100)
    assert table.frames == 3
    assert table.stored == (0, 10, 30, 35)
    assert table.plain == (0, 100, 150, 157)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (write_table(FRAMES)[1:], "cut off"),
        (b"", "cut off"),
        (b"\0" * table_size(3), "does not end with its seek table"),
        (write_table(FRAMES)[:-1] + b"\0", "does not end with its seek table"),
        (write_table([(10, 101), (20, 50), (5, 6)]), "a size that no frame has"),
        (write_table([(10, 100), (20, 57), (5, 0)]), "a size that no frame has"),
        (write_table([(10, 100), (21, 50), (5, 7)]), "does not add up"),
        (write_table([(10, 100), (20, 51), (5, 7)]), "does not add up"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadTable, match=why):
        read_table(data, **PACK, frame_limit=100)
