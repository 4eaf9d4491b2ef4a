from __future__ import annotations

import json
from typing import Any

import pytest

from runner.agent.pod.report import ROOM, shortened

RESULT: dict[str, Any] = {"outcome": "failure", "message": "m", "log": 5}


def large(**fields: Any) -> dict[str, Any]:
    return {**RESULT, "outputs": {}, "artifacts": [], "warnings": [], **fields}


def short(**fields: Any) -> dict[str, Any]:
    text = shortened(large(**fields), whole=False)
    assert len(text.encode()) <= ROOM
    record: dict[str, Any] = json.loads(text)
    assert record["whole"] is False
    return record


def test_no_more_is_left_out_than_must_be() -> None:
    record = short(outputs={"a": "x" * ROOM}, artifacts=[1], warnings=["w"])
    assert "outputs" not in record
    assert (record["artifacts"], record["warnings"], record["message"]) == ([1], ["w"], "m")


def test_what_is_left_out_first_is_the_largest() -> None:
    record = short(outputs={"a": "x"}, artifacts=["y" * ROOM], warnings=["w"])
    assert {"outputs", "artifacts"} & record.keys() == set()
    assert record["warnings"] == ["w"]
    assert "warnings" not in short(warnings=["w" * ROOM])


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600", "\ud800"])
def test_a_message_is_cut_to_fit(letter: str) -> None:
    record = short(message=letter * 50_000, outputs={"a": "1"})
    assert record["message"].startswith(letter)
    assert record["message"].endswith("…")
    assert record["log"] == 5


def test_what_cannot_be_read_elsewhere_is_not_promised() -> None:
    record = json.loads(shortened(large(message="x" * 5000), whole=True))
    assert "whole" not in record
