from __future__ import annotations

import os
import socket
from contextlib import chdir, suppress
from pathlib import Path

import pytest

from runner.workspace.errors import Unreadable
from runner.workspace.refusals import Refusals
from runner.workspace.tree import Tree
from runner.workspace.walk import Sight, look, walk
from tests.runner.objects.accounts import ordinary_user
from tests.runner.workspace.trees import FOLDER, File, Link, Node, write

TREE: dict[str, Node] = {
    "a": FOLDER,
    "a/b": FOLDER,
    "a/b/file": File(b"1"),
    "a/link": Link("../top"),
    "empty": FOLDER,
    "top": File(b"22"),
}


def walked(root: Path) -> tuple[Sight, tuple[str, ...]]:
    refusals = Refusals()
    with Tree(root) as tree:
        return walk(tree, refusals), refusals.warnings()


def looked(root: Path, *paths: str) -> tuple[Sight, tuple[str, ...]]:
    refusals = Refusals()
    with Tree(root) as tree:
        return look(tree, paths, refusals), refusals.warnings()


def test_a_walk_sees_all_that_a_snapshot_holds(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    sight, warnings = walked(tmp_path)
    assert warnings == ()
    assert {path: status.st_size for path, status in sight.files.items()} == {
        "a/b/file": 1,
        "top": 2,
    }
    assert sight.directories == {"a", "a/b", "empty"}
    assert sight.symlinks == {"a/link": "../top"}


def test_odd_things_are_left_out_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    (tmp_path / "leaving").symlink_to("a/../..")
    # The address of a socket may be no longer than some hundred bytes.
    with chdir(tmp_path), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    sight, warnings = walked(tmp_path)
    assert sight == Sight()
    assert sorted(warnings) == [
        "left out of the workspace: 'absolute': a symlink to an absolute path: '/etc/passwd'",
        "left out of the workspace: 'leaving': a symlink that leaves the workspace: 'a/../..'",
        "left out of the workspace: 'pipe': a named pipe",
        "left out of the workspace: 'socket': a socket",
    ]


def test_names_and_targets_that_are_not_utf8_are_left_out(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    (tmp_path / "link").symlink_to(odd)
    expected = {"'link'"}
    with suppress(OSError):  # a file system may refuse such names, as that of macOS does
        (tmp_path / odd).mkdir()
        (tmp_path / odd / "in").touch()
        (tmp_path / f"file{odd}").touch()
        expected |= {repr(odd), repr(f"file{odd}")}
    sight, warnings = walked(tmp_path)
    assert sight == Sight()
    assert {warning.split(": ")[1] for warning in warnings} == expected
    assert all("not UTF-8" in warning for warning in warnings)


def test_a_path_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    with chdir(tmp_path):
        for _ in range(25):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    sight, warnings = walked(tmp_path)
    assert len(sight.directories) == 20
    assert len(warnings) == 1
    assert "its path is longer than 4095 bytes" in warnings[0]


def test_a_directory_that_is_swapped_or_gone_was_never_there(tmp_path: Path) -> None:
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "outside/secret").mkdir(parents=True)

    class Swapping(Tree):
        def directory(self, path: str) -> int:
            if path == "a":
                (tmp_path / "root/a").rename(tmp_path / "a")
                (tmp_path / "root/a").symlink_to("../outside")
            return super().directory(path)

    with Swapping(tmp_path / "root") as tree:
        assert walk(tree, Refusals()) == Sight()


def test_a_symlink_that_changed_since_it_was_seen_was_never_there(tmp_path: Path) -> None:
    for number in range(40):
        os.mkfifo(tmp_path / f"pipe{number}")
        (tmp_path / f"link{number}").symlink_to("target")

    class Changing(Refusals):
        """Changes all symlinks as soon as the first pipe has been seen."""

        def leave_out(self, path: str, why: str) -> None:
            for number in range(40):
                link = tmp_path / f"link{number}"
                if link.is_symlink():
                    link.unlink()
                    if number % 2:
                        link.touch()

    order = [item.name[:4] for item in os.scandir(tmp_path)]
    with Tree(tmp_path) as tree:
        sight = walk(tree, Changing())
    assert len(sight.symlinks) == order.index("pipe")
    assert sight.files == {}


def test_a_directory_that_cannot_be_read_is_named() -> None:
    with ordinary_user() as root:
        (root / "a/closed").mkdir(parents=True)
        (root / "a/closed").chmod(0)
        with pytest.raises(
            Unreadable, match=r"cannot read 'a/closed': Permission denied"
        ) as caught:
            walked(root)
        assert caught.value.path == "a/closed"
        with pytest.raises(Unreadable, match=r"cannot look at 'a/closed/file': Permission denied"):
            looked(root, "a/closed/file")


def test_a_look_sees_only_what_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    sight, warnings = looked(tmp_path, "a/b/file", "empty/", "a/link", "absent", "top/below")
    assert warnings == ()
    assert set(sight.files) == {"a/b/file"}
    assert sight.directories == {"a", "a/b", "empty"}
    assert set(sight.symlinks) == {"a/link"}


def test_a_look_refuses_what_it_cannot_name_or_hold(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d/pipe")
    sight, warnings = looked(tmp_path, "../x", "/etc/passwd", "d/pipe")
    assert sight == Sight()
    assert [warning.partition(": ")[2] for warning in warnings] == [
        "'../x': its path has an empty, '.' or '..' segment",
        "'/etc/passwd': its path is absolute",
        "'d/pipe': a named pipe",
    ]


def test_a_look_does_not_follow_symlinks(tmp_path: Path) -> None:
    write(tmp_path, {**TREE, "through": Link("a")})
    sight, _ = looked(tmp_path, "through/b/file")
    assert sight == Sight()
