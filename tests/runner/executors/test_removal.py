from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.executors.removal import remove


def test_a_folder_and_all_that_is_in_it_goes(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_folders_that_may_not_be_written_go_too(tmp_path: Path) -> None:
    """Root may write everywhere, so this runs as somebody else where the tests run as root."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/b/c/d").write_text("x")
    (tmp_path / "kept").mkdir(mode=0o500)
    (tmp_path / "a/b/link").symlink_to(tmp_path / "kept")
    for name in ("a/b/c", "a/b", "a"):
        (tmp_path / name).chmod(0o500 if name != "a/b/c" else 0)
    if os.getuid() == 0:
        remove_as_nobody(tmp_path)
    else:
        remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o500


def remove_as_nobody(path: Path) -> None:
    nobody = 65534
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), nobody, nobody, follow_symlinks=False)
    os.chown(path, nobody, nobody)
    program = "import os, sys; from pathlib import Path;"
    program += "from runner.executors.removal import remove;"
    program += "os.chdir(sys.argv[1]); os.setuid(65534); remove(Path('a'))"
    command = [sys.executable, "-c", program, str(path)]
    assert subprocess.run(command, check=False).returncode == 0


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        remove(tmp_path / "file")
