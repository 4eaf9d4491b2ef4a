"""A folder within a working directory where files are made before they get their names, and where
what has to go is put before it is taken apart."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Container
from types import TracebackType
from typing import Self

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_PROBE = "probe"


class Staging:
    """The folder, from `__enter__` to `__exit__`, which removes it and all in it.

    `name` is its name in the root. `file_mode` and `directory_mode` are what the process's umask
    leaves of the permissions of what is new. Every method may raise `OSError`.
    """

    def __init__(self, root: int, avoid: Container[str]) -> None:
        """Make the folder in the directory that `root` is open on, under none of these names."""
        names = (f".hookline-{os.urandom(8).hex()}" for _ in itertools.count())
        self.name = next(name for name in names if name not in avoid)
        self._root = root
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        os.mkdir(self.name, 0o777, dir_fd=self._root)
        self.descriptor = os.open(self.name, _DIRECTORY, dir_fd=self._root)
        self.directory_mode = stat.S_IMODE(os.fstat(self.descriptor).st_mode) & 0o777
        os.fchmod(self.descriptor, 0o700)
        probe, name = self.create(executable=True)
        self._executable_mode = stat.S_IMODE(os.fstat(probe).st_mode)
        os.close(probe)
        os.rename(name, _PROBE, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._clear()
        finally:
            os.close(self.descriptor)
        os.rmdir(self.name, dir_fd=self._root)

    def file_mode(self, *, executable: bool) -> int:
        """Return the permissions that a new file gets here."""
        return self._executable_mode if executable else self._executable_mode & 0o666

    def folds(self) -> bool:
        """Whether the file system takes names that differ only in case for one."""
        try:
            os.stat(_PROBE.upper(), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def create(self, *, executable: bool) -> tuple[int, str]:
        """Return a descriptor of a new, empty file and its name in the folder. Thread-safe."""
        name = self._unused()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        mode = 0o777 if executable else 0o666
        return os.open(name, flags, mode, dir_fd=self.descriptor), name

    def publish(self, name: str, directory: int, final: str) -> None:
        """Give a file of the folder its final name in an open directory, whatever file has it."""
        os.rename(name, final, src_dir_fd=self.descriptor, dst_dir_fd=directory)

    def condemn(self, directory: int, name: str) -> None:
        """Move a directory, of any depth, from an open one to where it will be taken apart."""
        os.close(_open_for_change(directory, name))
        os.rename(name, self._unused(), src_dir_fd=directory, dst_dir_fd=self.descriptor)

    def _unused(self) -> str:
        return str(next(self._numbers))

    def _clear(self) -> None:
        """Remove all that is in the folder, one level of every tree in it at a time.

        What is below a directory moves up beside it, so no depth asks for recursion or for a
        descriptor for each level.
        """
        while found := _names(self.descriptor):
            for name, is_directory in found:
                if is_directory:
                    self._hollow(name)
                    os.rmdir(name, dir_fd=self.descriptor)
                else:
                    os.unlink(name, dir_fd=self.descriptor)

    def _hollow(self, name: str) -> None:
        directory = _open_for_change(self.descriptor, name)
        try:
            for child, is_directory in _names(directory):
                if is_directory:
                    self.condemn(directory, child)
                else:
                    os.unlink(child, dir_fd=directory)
        finally:
            os.close(directory)


def _names(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as items:
        return [(item.name, item.is_dir(follow_symlinks=False)) for item in items]


def _open_for_change(directory: int, name: str) -> int:
    """Return a descriptor of a directory whose owner may change what is in it."""
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & 0o700 != 0o700:
        os.fchmod(descriptor, 0o700)
    return descriptor
