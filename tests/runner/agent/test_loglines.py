from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.errors import LogError
from runner.agent.loglines import CONTINUES, LONGEST_LINE, LogWriter
from runner.agent.masking import Masker


def written(path: Path, *chunks: bytes, limit: int = 10**9) -> list[str]:
    with LogWriter(path, limit=limit, clock=lambda: 12.5) as log:
        for chunk in chunks:
            log.write(chunk)
    # `read_text` would take carriage returns for newlines.
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert all(line.startswith("12.500000 ") for line in lines)
    return [line.removeprefix("12.500000 ") for line in lines]


def test_lines_come_out_whole_however_they_come_in(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"on", b"e\ntw", b"o\n\nlast") == ["one", "two", "", "last"]


def test_a_line_has_the_time_at_which_its_end_was_read(tmp_path: Path) -> None:
    times = itertools.count(1)
    with LogWriter(tmp_path / "log", clock=lambda: next(times)) as log:
        log.write(b"a\nb")
        log.write(b"b\n")
    assert (tmp_path / "log").read_text() == "1.000000 a\n2.000000 bb\n"


def test_nothing_printed_is_an_empty_log(tmp_path: Path) -> None:
    assert written(tmp_path / "log") == []


def test_what_is_not_utf_8_is_replaced(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"caf\xc3\xa9 \xff\n\xe2\n") == ["café \ufffd", "\ufffd"]


def test_terminal_escapes_and_carriage_returns_stay(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with LogWriter(path, clock=lambda: 1.0) as log:
        log.write(b"\x1b[31mred\x1b[0m\r50%\r\n")
    assert path.read_bytes() == b"1.000000 \x1b[31mred\x1b[0m\r50%\r\n"


def test_what_is_masked_is_not_written_and_holds_no_line_up(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with LogWriter(path, clock=lambda: 1.0, masker=Masker(["s3cret"])) as log:
        log.write(b"one s3c")
        log.write(b"ret\ntwo s3cret\n")
        assert path.read_bytes() == b"1.000000 one ***\n1.000000 two ***\n"
        log.write(b"three s3cre")
    assert path.read_bytes().endswith(b"1.000000 three s3cre\n")


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_a_long_line_is_split_and_marked(tmp_path: Path, size: int) -> None:
    data = b"x" * (LONGEST_LINE * 2 + 5) + b"\nshort\n"
    step = min(size, len(data)) if size > 1 else 4096
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    lines = written(tmp_path / "log", *chunks)
    piece = "x" * LONGEST_LINE + CONTINUES
    assert lines == [piece, piece, "xxxxx", "short"]


def test_a_line_of_just_the_limit_is_not_split(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"x" * LONGEST_LINE + b"\n") == ["x" * LONGEST_LINE]


def test_a_long_line_is_split_between_characters(tmp_path: Path) -> None:
    first, second = written(tmp_path / "log", b"x" + "é".encode() * LONGEST_LINE)[:2]
    assert "\ufffd" not in first + second
    assert first.endswith("é" + CONTINUES)


def test_a_long_line_of_no_characters_is_split_anywhere(tmp_path: Path) -> None:
    lines = written(tmp_path / "log", b"\x80" * (LONGEST_LINE + 1))
    assert lines == ["\ufffd" * LONGEST_LINE + CONTINUES, "\ufffd"]


def test_past_the_limit_one_line_says_so_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with LogWriter(path, limit=40, clock=lambda: 1.0) as log:
        log.write(b"12345\n12345\n")
        log.write(b"12345\n12345\n")
        log.write(b"more\n")
    lines = path.read_text().splitlines()
    assert lines[:2] == ["1.000000 12345"] * 2
    assert lines[2:] == ["1.000000 [the log is larger than 40 bytes: the rest is not kept]"]
    assert log.dropped == 6 + 6 + 5


def test_a_sink_gets_what_is_stored_and_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "log"
    told: list[tuple[int, list[bytes]]] = []
    with LogWriter(
        path, limit=60, clock=lambda: 1.0, sink=lambda at, lines: told.append((at, list(lines)))
    ) as log:
        log.write(b"12345\nab")
        log.write(b"c\n12345\n")
        log.write(b"x" * 60 + b"\n")
        log.write(b"more\n")
    assert told[:2] == [
        (0, [b"1.000000 12345\n"]),
        (15, [b"1.000000 abc\n", b"1.000000 12345\n"]),
    ]
    (start, (note,)) = told[2]
    assert b"the rest is not kept" in note
    assert path.read_bytes()[start:] == note
    assert len(told) == 3
    assert log.size == path.stat().st_size


def test_a_log_that_is_there_is_gone_on_with_and_counts(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"one\n", limit=40) == ["one"]
    lines = written(tmp_path / "log", b"two\n" + b"x" * 40 + b"\n", limit=40)
    assert lines[:2] == ["one", "two"]
    assert "the rest is not kept" in lines[2]


def test_only_its_owner_may_read_a_log(tmp_path: Path) -> None:
    written(tmp_path / "log", b"x")
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_closing_twice_changes_nothing(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log", clock=lambda: 1.0)
    log.write(b"a")
    log.close()
    log.close()
    assert (tmp_path / "log").read_text() == "1.000000 a\n"


def test_a_log_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="the log cannot be written"):
        LogWriter(tmp_path / "missing" / "log")


def test_a_file_that_takes_nothing_any_more_says_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    log = LogWriter(tmp_path / "log")
    os.close(reader)
    with pytest.raises(LogError, match=os.strerror(errno.EPIPE)):
        log.write(b"a\n")
    log.write(b"b")
    with pytest.raises(LogError, match=os.strerror(errno.EPIPE)):
        log.close()


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_no_text_is_lost_or_made(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    lines = written(path, *chunks)
    whole = b"".join(chunks)
    expected = [part.decode("utf-8", "replace") for part in whole.split(b"\n")]
    if whole.endswith(b"\n") or not whole:
        expected.pop()
    assert lines == expected
