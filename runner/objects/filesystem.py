"""An object store in a folder: what one machine uses in place of S3.

A key is a path below the root. Temporary files stand beside their objects under names that begin
with `~`, which no key can contain. Because folders are folders, `a` and `a/b` cannot both be keys.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.objects.base import ObjectInfo, ObjectMissing, ObjectStoreError, check_key

_TEMPORARY = "~"
_ATTEMPTS = 100
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_CURES = {
    errno.ENOSPC: "the disk is full; free some space there",
    errno.EDQUOT: "the disk quota is used up; free some space there or raise it",
    errno.EROFS: "the file system is mounted read-only; mount it for writing",
    errno.EACCES: "permission denied; look at the owner and the mode of the folders there",
    errno.EPERM: "not permitted; look at the owner and the mode of the folders there",
    errno.ENOTDIR: "something on the way is a file, not a folder; move it away",
    errno.EEXIST: "something on the way is a file, not a folder; move it away",
    errno.EISDIR: "a folder stands where the object belongs; move it away",
}


class FilesystemStore:
    """Objects as files below `root`, which is made when something is written.

    With `durable`, an object and its name are on the disk before a write returns, so that a
    machine that loses power loses nothing it had confirmed.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self._root = root
        self._durable = durable

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        with self._explained("write", key):
            self._publish(key, data, _replace)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only where there is none; return whether it was written."""
        path = self._path(key)
        with self._explained("write", key):
            return not path.is_file() and self._publish(key, data, _link)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes from `start`; past its end there are none."""
        path = self._path(key)
        with self._explained("read", key):
            try:
                with path.open("rb") as file:
                    file.seek(start)
                    return file.read(length)
            except _ABSENT:
                raise ObjectMissing(key) from None

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""
        path = self._path(key)
        with self._explained("look at", key):
            try:
                found = path.stat()
            except _ABSENT:
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
        with self._explained("list", prefix or "."):
            yield from self._below("", prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects and the folders this leaves empty; what is not there counts as removed."""
        for key in keys:
            path = self._path(key)
            with self._explained("remove", key), suppress(*_ABSENT):
                path.unlink()
                self._prune(path.parent)

    def tidy(self, before: float) -> int:
        """Remove what writers that died left half-written before this time (seconds since the
        epoch); return how many files that were."""
        removed = 0
        with self._explained("tidy", "."):
            for path in self._root.rglob(f"{_TEMPORARY}*"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _publish(self, key: str, data: bytes, publish: Callable[[Path, Path], bool]) -> bool:
        """Write a file under a temporary name, then let `publish` give it its own at once."""
        path = self._path(key)
        fresh_folder = not path.parent.is_dir()
        temporary = path.with_name(_TEMPORARY + os.urandom(12).hex())
        with open(_open_new(temporary), "wb") as file:
            try:
                file.write(data)
                file.flush()
                if self._durable:
                    os.fsync(file.fileno())
                published = publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        if self._durable:
            self._sync(path.parent, with_parents=fresh_folder)
        return published

    def _below(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        """Yield what lies in a folder (`""` or a key with a `/` at its end) and below."""
        try:
            with os.scandir(self._root / folder) as items:
                # A folder sorts with its "/", as the keys below it do: "a-b" comes before "a/b".
                found = sorted((item.name + "/" * item.is_dir(), item) for item in items)
        except FileNotFoundError:
            return
        for name, item in found:
            key = folder + name
            if name.startswith(_TEMPORARY):
                continue
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._below(key, prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):
                    info = item.stat()
                    yield ObjectInfo(key, info.st_size, info.st_mtime)

    def _prune(self, folder: Path) -> None:
        """Remove folders that are empty, from this one up to the root."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _sync(self, folder: Path, *, with_parents: bool) -> None:
        """Put a folder's names on the disk, and those that lead to it from the root if asked."""
        _sync_folder(folder)
        while with_parents and folder != self._root:
            folder = folder.parent
            _sync_folder(folder)

    @contextmanager
    def _explained(self, act: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            cure = _CURES.get(error.errno or 0, error.strerror or str(error))
            message = f"cannot {act} {key} in the object store at {self._root}: {cure}"
            raise ObjectStoreError(message) from error


def _replace(source: Path, target: Path) -> bool:
    """Give a file its name, whoever has it."""
    source.replace(target)
    return True


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name unless that is taken; return whether it was free."""
    try:
        os.link(source, target)
    except FileExistsError:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder") from None
        return False
    return True


def _open_new(path: Path) -> int:
    """Make a new file and its folder, also while somebody removes empty folders."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o666)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, flags, 0o666)


def _sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk; one that somebody emptied and removed needs nothing."""
    with suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
