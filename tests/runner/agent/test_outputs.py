from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.agent.errors import OutputError
from runner.agent.outputs import LARGEST, Outputs, collect, parse, read, withheld


@pytest.mark.parametrize(
    ("data", "outputs"),
    [
        ("", {}),
        ("a=1\n", {"a": "1"}),
        ("a=1", {"a": "1"}),
        ("a=\n\n  \nb_2= x = y \n", {"a": "", "b_2": " x = y "}),
        ("a=1\na=2\n", {"a": "2"}),
        ("a=b<<c\n", {"a": "b<<c"}),
        ("a<<END\none\n\ntwo\nEND\nb=1\n", {"a": "one\n\ntwo", "b": "1"}),
        ("a<<END\nEND\n", {"a": ""}),
        ("a<<E=F\nx\nE=F\n", {"a": "x"}),
        ("a<<END\nnot=an output\nEND", {"a": "not=an output"}),
        ("_ü=1".replace("ü", "u") + "\nname=ü\r\n", {"_u": "1", "name": "ü\r"}),
    ],
)
def test_what_a_file_holds(data: str, outputs: dict[str, str]) -> None:
    assert parse(data.encode()) == outputs


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"a=1\nhello\n", "line 2 of the outputs, 'hello', is neither name=value nor name<<END"),
        (b"1a=1\n", "line 1 of the outputs, '1a=1'"),
        (b"a-b=1\n", "line 1 of the outputs"),
        (b"a<<\nx\n", "line 1 of the outputs"),
        (b"=x\n", "line 1"),
        (b"\n" + b"x" * 100, "line 2 of the outputs, '" + "x" * 60 + "…'"),
        (b"a=1\nb<<END\nx\n", "line 2 of the outputs opens a block that no line 'END' closes"),
        (b"a=1\nb=\xff\n", "line 2 of the outputs is not UTF-8"),
        (b"a=" + b"x" * LARGEST, "the outputs are larger than 1024 KiB"),
    ],
)
def test_a_bad_file_is_refused_and_the_line_named(data: bytes, complaint: str) -> None:
    with pytest.raises(OutputError) as caught:
        parse(data)
    assert complaint in str(caught.value)


def test_outputs_of_just_the_limit_are_taken() -> None:
    assert len(parse(b"a=" + b"x" * (LARGEST - 2))["a"]) == LARGEST - 2


def test_a_file_that_is_gone_holds_none(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == {}


def test_what_is_no_plain_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OutputError, match="no longer a plain file"):
        read(tmp_path / "fifo")
    with pytest.raises(OutputError, match="no longer a plain file"):
        read(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a=1\n")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OutputError, match="no longer a plain file"):
        read(tmp_path / "link")


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be read: Not a directory"):
        read(tmp_path / "file" / "output")


def test_declared_outputs_are_kept_and_others_told_of(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("a=1\nb=2\nc=3\n")
    found = collect(file, ["a", "d"])
    assert found.values == {"a": "1"}
    assert found.missing == "did not write the output `d` it declares"
    assert found.warning == "wrote the outputs `b`, `c`, not declared in `outputs:`"
    assert found.malformed == ""


def test_a_malformed_file_has_no_outputs_at_all(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("a=1\nnonsense\n")
    found = collect(file, ["a"])
    assert (found.values, found.missing, found.warning) == ({}, "", "")
    assert "line 2" in found.malformed


def test_outputs_that_hold_a_secret_are_withheld() -> None:
    outputs = Outputs({"a": "1", "b": "x s", "c": "s"}, warning="w")

    assert withheld(outputs, lambda value: "none" in value) is outputs
    left = withheld(outputs, lambda value: "s" in value)
    assert left.values == {"a": "1"}
    assert left.malformed.startswith("the outputs `b`, `c` held a secret and were not kept; ")
    assert left.warning == "w"
