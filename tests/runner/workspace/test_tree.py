from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.workspace.tree import Tree


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


def test_directories_are_opened_by_path(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    with Tree(tmp_path) as tree:
        assert inode(tree.directory("")) == tmp_path.stat().st_ino
        assert inode(tree.directory("a/b/c")) == (tmp_path / "a/b/c").stat().st_ino
        assert inode(tree.directory("a/b")) == (tmp_path / "a/b").stat().st_ino
        descriptor, name = tree.parent("a/file")
        assert (inode(descriptor), name) == ((tmp_path / "a").stat().st_ino, "file")
        assert inode(tree.parent("file")[0]) == tmp_path.stat().st_ino


def test_few_descriptors_stay_open_and_none_in_the_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 60)
    deep.mkdir(parents=True)
    before = open_descriptors()
    with Tree(tmp_path) as tree:
        paths = ["/".join(["d"] * depth) for depth in range(61)]
        for path in [*paths, paths[60], paths[1], *reversed(paths)]:
            assert inode(tree.directory(path)) == (tmp_path / path).stat().st_ino
            assert open_descriptors() < before + 40
    assert open_descriptors() == before


def test_a_symlink_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside/x").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to("../outside")
    with Tree(tmp_path / "root") as tree:
        for path in ("link", "link/x"):
            with pytest.raises(OSError, match="link"):
                tree.directory(path)


def test_only_directories_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Tree(tmp_path / "file")
    with Tree(tmp_path) as tree:
        with pytest.raises(NotADirectoryError):
            tree.directory("file")
        with pytest.raises(FileNotFoundError):
            tree.directory("absent/more")


def test_the_root_may_be_reached_through_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "real/a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    with Tree(tmp_path / "link") as tree:
        assert inode(tree.directory("a")) == (tmp_path / "real/a").stat().st_ino


def test_a_twin_stays_with_the_same_directory(tmp_path: Path) -> None:
    (tmp_path / "root/a").mkdir(parents=True)
    with Tree(tmp_path / "root") as tree:
        (tmp_path / "root").rename(tmp_path / "moved")
        (tmp_path / "root").mkdir()
        with tree.twin() as twin:
            assert inode(twin.directory("a")) == (tmp_path / "moved/a").stat().st_ino
