from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.pod.breakdown import tell
from runner.agent.pod.console import Console


class Pipe:
    """Where a console writes to, and what came out."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.console = Console(self.write)

    def told(self) -> bytes:
        return os.read(self.read, 1 << 16)


@pytest.fixture(name="pipe")
def pipe_fixture() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.read)
    os.close(pipe.write)


def test_lines_of_the_log_say_where_they_begin(pipe: Pipe) -> None:
    pipe.console.show(0, [b"1.0 a\n", b"1.0 bcd\n"])
    pipe.console.show(14, [b"2.0 \xc3\xa9\n"])
    assert pipe.told() == b"= 0 1.0 a\n= 6 1.0 bcd\n= 14 2.0 \xc3\xa9\n"
    assert pipe.console.log_size == 21


def test_start_and_end_are_told(pipe: Pipe) -> None:
    assert pipe.console.started_at is None
    pipe.console.started(12.5)
    pipe.console.ended('{"outcome": "success"}')
    assert pipe.told() == b'> started {"at": 12.5}\n> ended {"outcome": "success"}\n'
    assert pipe.console.started_at == 12.5


def test_what_is_said_keeps_its_letter_on_every_line(pipe: Pipe) -> None:
    pipe.console.say("one\ntwo ü \ud800\r= 0 three")
    assert pipe.told() == "! one\n! two ü ?\n! = 0 three\n".encode()


def test_a_console_that_nobody_reads_is_no_trouble() -> None:
    read, write = os.pipe()
    os.close(read)
    Console(write).say("anybody there?")
    os.close(write)


def test_a_breakdown_is_an_end_too(pipe: Pipe, tmp_path: Path) -> None:
    place = tmp_path / "termination"
    pipe.console.started(1.5)
    pipe.console.show(0, [b"1.5 x\n"])
    tell(RuntimeError("no way"), pipe.console, str(place), 2.5)
    told = pipe.told()
    assert b"! RuntimeError: no way\n" in told
    record = place.read_text()
    assert told.endswith(f"> ended {record}\n".encode())
    assert '"message": "the agent broke: RuntimeError: no way"' in record
    assert '"started": true, "started_at": 1.5, "ended_at": 2.5, "log": 6' in record
