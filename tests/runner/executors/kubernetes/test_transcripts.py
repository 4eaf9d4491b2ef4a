from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from runner.executors.base import AttemptId
from runner.executors.kubernetes.orders import log_key
from runner.executors.kubernetes.transcripts import Transcripts
from runner.logs import LogBook
from runner.objects.memory import MemoryStore

ATTEMPT = AttemptId("r", "s", 1)
WHOLE = b"1.0 one\n2.0 two\n"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def transcripts(tmp_path: Path, store: MemoryStore) -> Transcripts:
    return Transcripts(LogBook(tmp_path, store), store, 1 << 20)


def test_what_was_heard_whole_is_complete(transcripts: Transcripts) -> None:
    transcripts.file(ATTEMPT).write_bytes(WHOLE)
    assert transcripts.complete(ATTEMPT, len(WHOLE))


def test_a_log_without_a_line_is_complete(transcripts: Transcripts) -> None:
    assert transcripts.complete(ATTEMPT, 0)


def test_what_is_missing_is_fetched(transcripts: Transcripts, store: MemoryStore) -> None:
    transcripts.file(ATTEMPT).write_bytes(WHOLE[:8])
    assert not transcripts.complete(ATTEMPT, len(WHOLE))
    store.put(log_key(ATTEMPT), gzip.compress(WHOLE))
    assert transcripts.complete(ATTEMPT, len(WHOLE))
    assert transcripts.file(ATTEMPT).read_bytes() == WHOLE


def test_what_was_archived_is_left_there(transcripts: Transcripts, store: MemoryStore) -> None:
    store.put(transcripts.logs.key(ATTEMPT), gzip.compress(WHOLE))
    assert transcripts.complete(ATTEMPT, len(WHOLE))
    assert not transcripts.file(ATTEMPT).exists()


def test_of_a_log_of_unknown_size_there_is_what_there_is(
    transcripts: Transcripts, store: MemoryStore
) -> None:
    assert transcripts.complete(ATTEMPT, None)
    store.put(log_key(ATTEMPT), gzip.compress(WHOLE))
    assert transcripts.complete(ATTEMPT, None)
    assert transcripts.file(ATTEMPT).read_bytes() == WHOLE


@pytest.mark.parametrize(
    "damage", [b"no gzip", gzip.compress(WHOLE, mtime=0)[:-9]], ids=["odd", "torn"]
)
def test_a_damaged_copy_is_of_no_use(
    transcripts: Transcripts, store: MemoryStore, damage: bytes
) -> None:
    transcripts.file(ATTEMPT).write_bytes(WHOLE[:8])
    store.put(log_key(ATTEMPT), damage)
    assert not transcripts.complete(ATTEMPT, len(WHOLE))
    assert transcripts.file(ATTEMPT).read_bytes() == WHOLE[:8]
