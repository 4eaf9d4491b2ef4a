"""Refuses trees that a file system would garble because it takes several names for one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from runner.workspace.errors import NamesClash


def check_names(paths: Iterable[str], folds: Callable[[], bool]) -> None:
    """Raise `NamesClash` if two paths differ only in case or in how Unicode spells them.

    `folds` tells whether the file system takes such names for one; it is asked only if it matters.
    """
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(_fold(path), path)
        if other is not path and folds():
            message = (
                f"{other!r} and {path!r} are one name to the file system here;"
                " rename one of them, or work on a file system that tells them apart"
            )
            raise NamesClash(message)


def _fold(path: str) -> str:
    """Return what all spellings of a path have in common on APFS and the like."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
