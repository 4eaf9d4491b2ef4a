from __future__ import annotations

import os
import shutil
from pathlib import Path

from runner.agent import locks, workspaces


def number(workspace: workspaces.Workspace) -> str:
    return workspace.tree.parent.name


def test_steps_that_follow_one_another_get_the_same_place(tmp_path: Path) -> None:
    first = workspaces.take(tmp_path / "w", ["a"])
    first.release("b")
    second = workspaces.take(tmp_path / "w", ["b"])
    assert number(first) == number(second) == "1"
    second.release("c")


def test_steps_side_by_side_get_one_each(tmp_path: Path) -> None:
    first, second = workspaces.take(tmp_path, []), workspaces.take(tmp_path, [])
    assert {number(first), number(second)} == {"1", "2"}
    first.release(None)
    second.release(None)


def test_the_best_match_is_taken_then_a_parent_then_the_lowest_number(tmp_path: Path) -> None:
    held = [workspaces.take(tmp_path, []) for _ in range(3)]
    for workspace, snapshot in zip(held, ["a", "b", "c"], strict=True):
        workspace.release(snapshot)
    taken = [workspaces.take(tmp_path, ["c", "b"]) for _ in range(4)]
    assert [number(workspace) for workspace in taken] == ["3", "2", "1", "4"]
    for workspace in taken:
        workspace.release(None)


def test_one_that_agrees_with_nothing_is_not_used_again(tmp_path: Path) -> None:
    workspaces.take(tmp_path, []).release(None)
    second = workspaces.take(tmp_path, [])
    assert number(second) == "2"
    second.release("a")


def test_one_whose_user_died_is_not_used_again(tmp_path: Path) -> None:
    workspaces.take(tmp_path, []).release("a")
    dead = workspaces.take(tmp_path, ["a"])
    # What a death leaves: the lock free, the mark gone.
    dead.release(None)
    assert number(workspaces.take(tmp_path, ["a"])) == "2"


def test_a_mark_that_cannot_be_written_only_costs_the_workspace(tmp_path: Path) -> None:
    workspace = workspaces.take(tmp_path, [])
    shutil.rmtree(tmp_path / "1")
    workspace.release("a")
    assert number(workspaces.take(tmp_path, ["a"])) == "1"


def test_strange_files_beside_them_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "readme").write_text("x")
    assert number(workspaces.take(tmp_path, [])) == "1"


def test_one_that_somebody_has_just_taken_is_passed_over(tmp_path: Path) -> None:
    workspaces.take(tmp_path, []).release("a")
    other = locks.obtain(tmp_path / "1" / "lock")
    assert number(workspaces.take(tmp_path, ["a"])) == "2"
    os.close(other)


def test_one_that_changed_since_it_was_seen_idle_is_passed_over(tmp_path: Path) -> None:
    workspaces.take(tmp_path, []).release(None)
    assert workspaces._claim(tmp_path / "1") is None
    assert workspaces._claim(tmp_path / "gone") is None
    assert not locks.held(tmp_path / "1" / "lock")
