from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.workspace.staging import Staging
from tests.runner.objects.accounts import ordinary_user


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_it_is_there_for_a_while_under_a_name_of_its_own(tmp_path: Path) -> None:
    class FirstTaken:
        asked = 0

        def __contains__(self, name: object) -> bool:
            self.asked += 1
            return self.asked == 1

    names = FirstTaken()
    with opened(tmp_path) as root:
        with Staging(root, names) as staging:
            assert [path.name for path in tmp_path.iterdir()] == [staging.name]
        assert names.asked == 2
        assert list(tmp_path.iterdir()) == []


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "final").write_bytes(b"old")
    with opened(tmp_path) as root, Staging(root, ()) as staging:
        descriptor, name = staging.create(executable=True)
        os.write(descriptor, b"new")
        os.close(descriptor)
        assert (tmp_path / "final").read_bytes() == b"old"
        staging.publish(name, root, "final")
        assert (tmp_path / "final").read_bytes() == b"new"
        assert (tmp_path / "final").stat().st_mode & 0o777 == staging.file_mode(executable=True)


@pytest.mark.parametrize(
    ("umask", "modes"), [(0o022, (0o755, 0o755, 0o644)), (0o077, (0o700, 0o700, 0o600))]
)
def test_permissions_are_what_the_umask_leaves(
    tmp_path: Path, umask: int, modes: tuple[int, int, int]
) -> None:
    before = os.umask(umask)
    try:
        with opened(tmp_path) as root, Staging(root, ()) as staging:
            assert modes == (
                staging.directory_mode,
                staging.file_mode(executable=True),
                staging.file_mode(executable=False),
            )
    finally:
        os.umask(before)


def test_it_tells_whether_case_matters(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    expected = (tmp_path / "PROBE").exists()
    with opened(tmp_path) as root, Staging(root, ()) as staging:
        assert staging.folds() == expected
        os.close(os.open("PROBE", os.O_CREAT, 0o600, dir_fd=staging.descriptor))
        assert staging.folds()


def test_what_is_condemned_goes_however_deep_it_is(tmp_path: Path) -> None:
    deep = tmp_path / "condemned"
    deep.mkdir()
    (deep / "outside").symlink_to(tmp_path)
    with opened(tmp_path) as root:
        descriptor = os.open("condemned", os.O_RDONLY, dir_fd=root)
        for number in range(1500):
            os.mkdir("d" * 20, dir_fd=descriptor)
            os.close(os.open(f"file{number}", os.O_CREAT, 0o600, dir_fd=descriptor))
            inner = os.open("d" * 20, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        os.close(descriptor)
        (tmp_path / "kept").touch()
        with Staging(root, ()) as staging:
            staging.condemn(root, "condemned")
            assert not deep.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_symlink_cannot_be_condemned(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    with (
        opened(tmp_path) as root,
        Staging(root, ()) as staging,
        pytest.raises(OSError, match="link"),
    ):
        staging.condemn(root, "link")


def test_directories_without_permissions_go_too() -> None:
    with ordinary_user() as folder, opened(folder) as root:
        (folder / "a/b/c").mkdir(parents=True)
        (folder / "a/b/file").touch()
        for path in ("a/b/c", "a/b", "a"):
            (folder / path).chmod(0o500)
        with Staging(root, ()) as staging:
            staging.condemn(root, "a")
        assert list(folder.iterdir()) == []
