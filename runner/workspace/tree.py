"""A working directory, entered through directory descriptors so that no symlink is ever followed.

What is inside may be hostile and may change at any time. Every step down is taken with
`O_NOFOLLOW`, so whoever swaps a directory for a symlink gets an error, not a way out.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Self

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A process may have as few as 256 files open on macOS, and several trees are open at once.
_ROOM = 24


class Tree:
    """Descriptors for the directories of a tree by path; the last few stay open.

    Not thread-safe. A descriptor that it returns is good until the next call.
    """

    def __init__(self, root: Path | str, within: int | None = None) -> None:
        """Open the root, which may itself be reached through symlinks; raise `OSError`."""
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY, dir_fd=within)
        self._open: OrderedDict[str, int] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        os.close(self._root)

    def twin(self) -> Tree:
        """Return the same tree for another thread; raise `OSError`."""
        return Tree(".", within=self._root)

    def directory(self, path: str) -> int:
        """Return a descriptor of a directory, `""` for the root; raise `OSError`."""
        if not path:
            return self._root
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        return self._descend(path)

    def parent(self, path: str) -> tuple[int, str]:
        """Return a descriptor of the directory that a path is in, and its name there."""
        parent, _, name = path.rpartition("/")
        return self.directory(parent), name

    def _descend(self, path: str) -> int:
        """Open a directory from the nearest one above it that is open."""
        above = path
        while above and above not in self._open:
            above = above.rpartition("/")[0]
        descriptor = self.directory(above)
        for name in path[len(above) :].strip("/").split("/"):
            descriptor = os.open(name, _DIRECTORY, dir_fd=descriptor)
            above = f"{above}/{name}" if above else name
            self._open[above] = descriptor
            if len(self._open) > _ROOM:
                os.close(self._open.popitem(last=False)[1])
        return descriptor
