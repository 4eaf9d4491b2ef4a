from __future__ import annotations

import pytest

from runner.workspace.paths import PATH_LIMIT, directories_above, path_fault, target_fault


@pytest.mark.parametrize(
    "path", ["a", "a/b", ".hidden", "..a/b..", "a b", "a\nb", "é/ü", "\\", "x" * PATH_LIMIT]
)
def test_a_plain_path_is_fine(path: str) -> None:
    assert path_fault(path) == ""


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/a", "its path is absolute"),
        ("//a", "its path is absolute"),
        ("", "its path has an empty, '.' or '..' segment"),
        ("a//b", "its path has an empty, '.' or '..' segment"),
        ("a/", "its path has an empty, '.' or '..' segment"),
        (".", "its path has an empty, '.' or '..' segment"),
        ("a/./b", "its path has an empty, '.' or '..' segment"),
        ("..", "its path has an empty, '.' or '..' segment"),
        ("a/../../b", "its path has an empty, '.' or '..' segment"),
        ("a\0b", "its path has a NUL character"),
        ("a\udcff", "its path is not UTF-8"),
        ("é" * (PATH_LIMIT // 2 + 1), f"its path is longer than {PATH_LIMIT} bytes"),
    ],
)
def test_any_other_path_is_told_why(path: str, fault: str) -> None:
    assert path_fault(path) == fault


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("link", "file"),
        ("link", "."),
        ("link", "./dir//file"),
        ("link", "dir/"),
        ("a/link", ".."),
        ("a/b/link", "../../c"),
        ("a/link", ".././b"),
        ("link", "not/there"),
    ],
)
def test_a_target_may_go_up_to_the_root_and_then_down(path: str, target: str) -> None:
    assert target_fault(path, target) == ""


@pytest.mark.parametrize(
    ("path", "target", "fault"),
    [
        ("link", "/etc/passwd", "a symlink to an absolute path"),
        ("link", "..", "a symlink that leaves the workspace"),
        ("a/link", "../../b", "a symlink that leaves the workspace"),
        ("a/link", "b/../../../c", "a symlink that leaves the workspace"),
        ("link", "a/..", "a symlink that leaves the workspace"),
        ("a/link", "b/../c", "a symlink that goes up again after it has gone down"),
        ("a/link", "../b/..", "a symlink that leaves the workspace"),
        ("link", "", "a symlink without a target"),
        ("link", "a\0", "its target has a NUL character"),
        ("link", "\udcff", "its target is not UTF-8"),
        ("link", "x" * 5000, f"its target is longer than {PATH_LIMIT} bytes"),
    ],
)
def test_any_other_target_is_told_why(path: str, target: str, fault: str) -> None:
    assert target_fault(path, target) == fault


def test_the_directories_above_go_from_the_root_on() -> None:
    assert list(directories_above("a/b/c")) == ["a", "a/b"]
    assert list(directories_above("a")) == []
