"""Lines of an agent's log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.kube.agentlog import LONGEST, Ended, Line, Note, Record, Splitter, Started, parse


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b"= 0 1750000000.000001 hello", Line(0, b"1750000000.000001 hello\n")),
        (b"= 25 1750000000.000001 ", Line(25, b"1750000000.000001 \n")),
        (b"= 7 1.5 = 8 a\r\xff", Line(7, b"1.5 = 8 a\r\xff\n")),
        (b'> started {"at": 12.5}', Started(12.5)),
        (b'> ended {"outcome": "success", "log": 7}', Ended({"outcome": "success", "log": 7})),
        ("! cannot reach the störe".encode(), Note("cannot reach the störe")),
        (b"", None),
        (b"=", None),
        (b"= x 1.0 a", None),
        (b"= 1 soon a", None),
        (b"= 1 1.0", None),
        (b"> started", None),
        (b"> started {}", None),
        (b'> started {"at": "now"}', None),
        (b"> started 12", None),
        (b"> ended {", None),
        (b"> ended {}", None),
        (b"> paused {}", None),
        (b"Traceback (most recent call last):", None),
    ],
)
def test_what_a_line_says(line: bytes, record: Record | None) -> None:
    assert parse(line) == record


def test_the_time_of_a_line() -> None:
    assert Line(0, b"1.5 a b\n").stamp == b"1.5"


@pytest.mark.parametrize(("told", "size"), [(7, 7), (0, 0), (-1, None), ("7", None), (None, None)])
def test_the_size_of_the_log(told: object, size: int | None) -> None:
    assert Ended({"log": told}).log == size


@given(st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b""))), st.data())
def test_lines_come_out_however_they_were_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines) + b"a part"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    splitter = Splitter()
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    assert [each for a, b in edges for each in splitter.feed(stream[a:b])] == lines


def test_a_line_that_never_ends_is_dropped() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b"x" * LONGEST)) == []
    assert list(splitter.feed(b"x")) == []
    assert list(splitter.feed(b"x" * LONGEST + b"\nnext\n")) == [b"next"]
