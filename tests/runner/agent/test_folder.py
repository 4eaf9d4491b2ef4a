from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from runner.agent.folder import AgentOrder, AgentResult, Folder
from runner.executors.base import Result

ORDER = AgentOrder(
    name="a-1",
    command=("sh", "-c", "true"),
    input="0" * 64,
    outputs=("x",),
    artifacts=(),
    timeout=1.5,
    grace=2.0,
    objects="/o",
    workspaces="/w",
    log="/l",
    log_limit=99,
)


def test_an_order_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write_order(ORDER)
    assert folder.read_order() == ORDER


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read_result() is None
    result = AgentResult(
        outcome="success",
        ended_at=2.0,
        started=True,
        started_at=1.0,
        outputs={"a": "ü"},
        artifacts=({"path": "a", "size": 1, "digest": "d"},),
        warnings=("w",),
    )
    folder.write_result(result)
    assert folder.read_result() == result


def test_a_result_has_the_fields_that_the_engine_knows() -> None:
    assert {field.name for field in fields(AgentResult)} == {field.name for field in fields(Result)}


@pytest.mark.parametrize("damage", ["", "{", "{}", '{"artifacts": [], "warnings": [], "x": 1}'])
def test_a_damaged_result_is_told_as_such(tmp_path: Path, damage: str) -> None:
    (tmp_path / "result.json").write_text(damage)
    with pytest.raises(ValueError, match=r"Expecting|no result"):
        Folder(tmp_path).read_result()


def test_the_small_facts(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert (folder.read_started(), folder.read_group(), folder.read_pid()) == (None, None, None)
    folder.write_started(12.25)
    folder.write_group(77)
    folder.alive.write_text("")
    assert (folder.read_started(), folder.read_group(), folder.read_pid()) == (12.25, 77, None)
    folder.alive.write_text("99")
    assert folder.read_pid() == 99


def test_files_are_their_owners_alone_and_leave_no_drafts(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write_order(ORDER)
    folder.write_started(1.0)
    assert {path.name for path in tmp_path.iterdir()} == {"order.json", "started"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
