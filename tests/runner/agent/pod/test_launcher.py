from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runner.agent.errors import CommandError
from runner.agent.pod.launcher import LARGEST_ORDER, Launcher, compose
from tests.runner.agent.launching import order


@pytest.fixture(name="launcher")
def launcher_fixture(tmp_path: Path) -> Launcher:
    (tmp_path / "program").write_bytes(b"program")
    control = tmp_path / "control"
    control.mkdir()
    return Launcher(str(control), str(tmp_path / "program"))


def heard(launcher: Launcher, tmp_path: Path, *said: bytes) -> Launcher:
    """Let something be said on `end`, piece by piece."""
    end = os.open(tmp_path / "control" / "end", os.O_WRONLY)
    for piece in said:
        os.write(end, piece)
        launcher.listen()
    os.close(end)
    return launcher


def test_the_program_is_in_its_place_whole_and_can_be_executed(
    launcher: Launcher, tmp_path: Path
) -> None:
    place = tmp_path / "control" / "launcher"
    assert place.read_bytes() == b"program"
    assert place.stat().st_mode & 0o777 == 0o555
    assert sorted(path.name for path in place.parent.iterdir()) == ["end", "go", "launcher", "log"]


def test_what_is_said_is_understood_however_it_comes(launcher: Launcher, tmp_path: Path) -> None:
    heard(launcher, tmp_path, b"H", b"\nS\nE 76", b"8 0\n")
    assert launcher.ready
    assert launcher.refusal is None
    assert launcher.end == (3, 0)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (b"E 0 0\n", (0, 0)),
        (b"E 9 2\n", (-9, 2)),
        (b"E 139 0\n", (-11, 0)),
        (b"E 256 0\nE 0 0\n", (1, 0)),
        (b"E 127 0\n", None),
        (b"E 0\n", None),
        (b"E x 0\n", None),
        (b"E -1 0\n", None),
        (b"E %d 0\n" % 2**70, None),
        (b"E 0 0", None),
        (b"F %d\n" % 2**70, None),
        (b"\xff\n\n   \n", None),
        (b"x" * 4000 + b"\n", None),
    ],
)
def test_what_makes_no_sense_is_passed_over(
    launcher: Launcher, tmp_path: Path, said: bytes, end: tuple[int, int] | None
) -> None:
    assert heard(launcher, tmp_path, said).end == end


def test_a_line_without_an_end_is_not_collected(launcher: Launcher, tmp_path: Path) -> None:
    heard(launcher, tmp_path, *[b"x" * 4096] * 5)
    assert len(launcher._heard) == 4096


def test_a_refusal_names_its_reason(launcher: Launcher, tmp_path: Path) -> None:
    heard(launcher, tmp_path, b"H\nF %d\n" % errno.ENOENT)
    assert isinstance(launcher.refusal, FileNotFoundError)


def test_nobody_left_is_noticed(launcher: Launcher, tmp_path: Path) -> None:
    heard(launcher, tmp_path, b"H\n")
    launcher.wait()
    assert launcher.ready
    assert launcher.gone


def test_an_order_that_nobody_reads_is_not_delivered(launcher: Launcher) -> None:
    assert not launcher.order(b"run")
    launcher.ask(b"K")
    launcher.leave()
    launcher.leave()


def test_an_order_is_as_the_launcher_reads_it() -> None:
    words, variables = ["sh", "-c", "ü\n"], {"A": "1", "B": "x=y", "C": ""}
    assert compose("/w", words, variables) == order(words, variables, "/w")


def test_bytes_that_are_no_text_go_through() -> None:
    assert b"\xff\0" in compose("/", ["\udcff"], {})


@pytest.mark.parametrize(
    ("arguments", "value", "message"),
    [
        ([], "", "the step has no command"),
        (["a", "b\0"], "", "there is a NUL"),
        (["a"], "\0", "there is a NUL"),
        (["a"], "\ud800", "no UTF-8"),
        (["a"], "x" * LARGEST_ORDER, "larger than 4 MiB"),
    ],
    ids=["nothing", "NUL", "NUL in a variable", "not UTF-8", "too large"],
)
def test_what_cannot_be_started_is_said(arguments: list[str], value: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        compose("/", arguments, {"V": value})
