"""Compares a working directory with the snapshot it is to become: keeps what agrees, removes what
does not belong."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.workspace.errors import Unwritable
from runner.workspace.index import Index, Known, signature
from runner.workspace.manifest import Entry, Kind
from runner.workspace.staging import Staging
from runner.workspace.tree import Tree

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_PART = 1 << 20


@dataclass
class Survey:
    """`present` holds the paths that agree by now, `known` what is known of the files in it."""

    tree: Tree
    staging: Staging
    entries: Mapping[str, Entry]
    index: Index
    present: set[str] = field(default_factory=set)
    known: dict[str, Known] = field(default_factory=dict)

    def run(self) -> None:
        """Look through the whole directory; raise `Unwritable` for what cannot be removed."""
        waiting = [""]
        while waiting:
            path = waiting.pop()
            try:
                waiting.extend(self._visit(path))
            except OSError as error:
                raise Unwritable("change what is in", path, error) from error

    def _visit(self, path: str) -> list[str]:
        """Settle one directory; return the paths of those in it that belong there."""
        directory = self.tree.directory(path)
        if path:
            self._settle_mode(directory)
        with os.scandir(directory) as items:
            found = [item for item in items if path or item.name != self.staging.name]
            belonging = []
            for item in found:
                child = f"{path}/{item.name}" if path else item.name
                if self._settle(directory, item, self.entries.get(child)):
                    self.present.add(child)
                    if self.entries[child].kind is Kind.DIRECTORY:
                        belonging.append(child)
        return belonging

    def _settle(self, directory: int, item: os.DirEntry[str], entry: Entry | None) -> bool:
        """Return whether what is there agrees; if not, and it would be in the way, remove it.

        A file in place of another stays, so that its successor can take its name in one step.
        """
        match entry and entry.kind:
            case Kind.FILE if entry is not None and item.is_file(follow_symlinks=False):
                return self._keep(directory, item, entry)
            case Kind.DIRECTORY if item.is_dir(follow_symlinks=False):
                return True
            case Kind.SYMLINK if entry is not None and item.is_symlink():
                if os.readlink(item.name, dir_fd=directory) == entry.target:
                    return True
        if item.is_dir(follow_symlinks=False):
            self.staging.condemn(directory, item.name)
        else:
            os.unlink(item.name, dir_fd=directory)
        return False

    def _keep(self, directory: int, item: os.DirEntry[str], entry: Entry) -> bool:
        """Return whether a file has the right content, and then see to its mode and time.

        One that has other names is not kept: a change of it would be a change of those.
        """
        status = item.stat(follow_symlinks=False)
        digest = self.index.digest(entry.path, status)
        if (
            status.st_nlink != 1
            or status.st_size != entry.size
            or digest
            not in (
                None,
                entry.digest,
            )
        ):
            return False
        if digest and self._settled(status, entry):
            self.known[entry.path] = self.index.known[entry.path]
            return True
        known = self._adjust(directory, item.name, entry, known=digest is not None)
        if known is not None:
            self.known[entry.path] = known
        return known is not None

    def _adjust(self, directory: int, name: str, entry: Entry, *, known: bool) -> Known | None:
        """Give a file its mode and time if its content is right; None if it must be replaced."""
        try:
            descriptor = os.open(name, _OPEN, dir_fd=directory)
            try:
                if not known and _digest(descriptor, entry.size) != entry.digest:
                    return None
                os.fchmod(descriptor, self.staging.file_mode(executable=entry.executable))
                os.utime(descriptor, ns=(entry.modified_ns, entry.modified_ns))
                return Known(signature(os.fstat(descriptor)), entry.digest)
            finally:
                os.close(descriptor)
        except OSError:
            return None

    def _settled(self, status: os.stat_result, entry: Entry) -> bool:
        mode = self.staging.file_mode(executable=entry.executable)
        return stat.S_IMODE(status.st_mode) == mode and status.st_mtime_ns == entry.modified_ns

    def _settle_mode(self, directory: int) -> None:
        """Give a directory the permissions of a new one, but let it hand its group on."""
        mode = stat.S_IMODE(os.fstat(directory).st_mode)
        wanted = self.staging.directory_mode | mode & stat.S_ISGID
        if mode != wanted:
            os.fchmod(directory, wanted)


def _digest(descriptor: int, size: int) -> str:
    """Return the digest of a file's first `size` bytes."""
    digest = hashlib.sha256()
    while size > 0 and (part := os.read(descriptor, min(size, _PART))):
        digest.update(part)
        size -= len(part)
    return digest.hexdigest()
