from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from runner.agent.loglines import LogWriter
from runner.executors.base import AttemptId
from runner.logs import START, LogBook, LogLine, Page, Position
from runner.objects.base import ObjectStoreError
from runner.objects.memory import MemoryStore

ATTEMPT = AttemptId("run-1", "build", 1)


class Broken(MemoryStore):
    """A store whose disk is full."""

    def put(self, key: str, data: bytes) -> None:
        message = f"{key}: the disk is full"
        raise ObjectStoreError(message)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def book(tmp_path: Path, store: MemoryStore) -> LogBook:
    return LogBook(tmp_path / "spool", store)


def write(book: LogBook, data: bytes, attempt: AttemptId = ATTEMPT, at: float = 2.5) -> None:
    with LogWriter(book.spool(attempt), clock=lambda: at) as log:
        log.write(data)


def test_what_the_agent_writes_is_read_back(book: LogBook) -> None:
    write(book, "one\n\x1b[1mtwo \rü\n\n".encode())
    assert list(book.read(ATTEMPT)) == [
        LogLine(1, 2.5, "one"),
        LogLine(2, 2.5, "\x1b[1mtwo \rü"),
        LogLine(3, 2.5, ""),
    ]


def test_a_log_reads_the_same_once_it_is_archived(book: LogBook, store: MemoryStore) -> None:
    write(book, b"one\ntwo\n")
    live = list(book.read(ATTEMPT))
    book.archive(ATTEMPT)
    assert not book.spool(ATTEMPT).exists()
    assert list(book.read(ATTEMPT)) == live
    assert [found.key for found in store.list()] == [f"logs/run-1/{ATTEMPT.name}"]


def test_archiving_again_changes_nothing(book: LogBook) -> None:
    write(book, b"one\n")
    book.archive(ATTEMPT)
    book.archive(ATTEMPT)
    assert [line.text for line in book.read(ATTEMPT)] == ["one"]


def test_a_crash_between_storing_and_removing_is_made_good(book: LogBook) -> None:
    write(book, b"one\n")
    spooled = book.spool(ATTEMPT).read_bytes()
    book.archive(ATTEMPT)
    book.spool(ATTEMPT).write_bytes(spooled)
    book.archive(ATTEMPT)
    assert not book.spool(ATTEMPT).exists()
    assert [line.text for line in book.read(ATTEMPT)] == ["one"]


def test_a_store_that_refuses_leaves_the_file(tmp_path: Path) -> None:
    book = LogBook(tmp_path, Broken())
    write(book, b"one\n")
    with pytest.raises(ObjectStoreError, match="full"):
        book.archive(ATTEMPT)
    assert [line.text for line in book.read(ATTEMPT)] == ["one"]


def test_a_log_that_is_not_has_no_lines(book: LogBook) -> None:
    assert list(book.read(ATTEMPT)) == []
    assert book.page(ATTEMPT) == Page((), START)
    book.archive(ATTEMPT)


def test_reading_may_begin_anywhere(book: LogBook) -> None:
    write(book, b"".join(b"%d\n" % number for number in range(1, 101)))
    assert [line.number for line in book.read(ATTEMPT, 99)] == [99, 100]
    assert list(book.read(ATTEMPT, 101)) == []
    assert [line.text for line in islice(book.read(ATTEMPT, 7), 2)] == ["7", "8"]


def test_a_follower_goes_on_where_it_was_through_the_archiving(book: LogBook) -> None:
    write(book, b"one\ntwo\n")
    first = book.page(ATTEMPT)
    assert [line.text for line in first.lines] == ["one", "two"]
    assert book.page(ATTEMPT, first.next) == Page((), first.next)
    write(book, b"three\n")
    second = book.page(ATTEMPT, first.next)
    assert second.lines == (LogLine(3, 2.5, "three"),)
    write(book, b"four\n")
    book.archive(ATTEMPT)
    assert book.page(ATTEMPT, second.next).lines == (LogLine(4, 2.5, "four"),)


def test_pages_have_a_limit_and_join_up(book: LogBook) -> None:
    write(book, b"".join(b"%d\n" % number for number in range(10)))
    position, numbers = START, list[int]()
    while (page := book.page(ATTEMPT, position, limit=3)).lines:
        assert len(page.lines) <= 3
        numbers += [line.number for line in page.lines]
        position = page.next
    assert numbers == list(range(1, 11))
    assert position.line == 11


def test_a_line_that_is_still_being_written_waits(book: LogBook) -> None:
    book.spool(ATTEMPT).write_bytes(b"1.000000 one\n1.000000 tw")
    assert [line.text for line in book.read(ATTEMPT)] == ["one"]
    assert book.page(ATTEMPT).next == Position(2, 13)


def test_a_damaged_line_is_shown_without_a_time(book: LogBook) -> None:
    book.spool(ATTEMPT).write_bytes(b"\xff\xff\n1.000000 one\n")
    assert list(book.read(ATTEMPT)) == [LogLine(1, 0.0, "\ufffd\ufffd"), LogLine(2, 1.0, "one")]


def test_attempts_have_logs_of_their_own(book: LogBook) -> None:
    second = AttemptId("run-1", "build", 2)
    write(book, b"one\n")
    write(book, b"two\n", second)
    assert [line.text for line in book.read(second)] == ["two"]


@pytest.mark.parametrize("archived", [False, True])
def test_a_removed_log_is_gone(book: LogBook, archived: bool) -> None:
    write(book, b"one\n")
    if archived:
        book.archive(ATTEMPT)
    book.remove(ATTEMPT)
    book.remove(ATTEMPT)
    assert list(book.read(ATTEMPT)) == []


def test_the_logs_of_services_are_kept_beside_the_log_of_their_step(book: LogBook) -> None:
    write(book, b"one\n")
    book.keep_service(ATTEMPT, "db", [b"1.500000 ready\n", b"1.500000 \xff\n"])
    assert book.services(ATTEMPT) == ("db",)
    assert list(book.read_service(ATTEMPT, "db")) == [
        LogLine(1, 1.5, "ready"),
        LogLine(2, 1.5, "\ufffd"),
    ]
    assert [line.text for line in book.read(ATTEMPT)] == ["one"]


def test_the_logs_of_services_go_with_the_log_of_their_step(
    book: LogBook, store: MemoryStore
) -> None:
    book.keep_service(ATTEMPT, "db", [b"1.500000 ready\n"])
    book.remove(ATTEMPT)
    assert book.services(ATTEMPT) == ()
    assert list(store.list()) == []
