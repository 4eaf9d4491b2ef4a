"""What a path or the target of a symlink in a snapshot may look like."""

from __future__ import annotations

from collections.abc import Iterator

# What the systems that Hookline runs on take in one call; it also bounds how deep a tree can be.
PATH_LIMIT = 4095

_RESERVED = frozenset({"", ".", ".."})


def path_fault(path: str) -> str:
    """Return what keeps a path out of a snapshot, empty if nothing does.

    Paths are relative, of segments joined by single slashes, none of them `.` or `..`, in UTF-8.
    """
    if path.startswith("/"):
        return "its path is absolute"
    if not _RESERVED.isdisjoint(path.split("/")):
        return "its path has an empty, '.' or '..' segment"
    return text_fault(path, "path")


def target_fault(path: str, target: str) -> str:
    """Return what keeps a symlink at `path` out of a snapshot, empty if nothing does.

    A target may first go up with `..`, not above the root, and then only down. So it stays inside
    whatever else is a symlink: the way up leads through directories of the snapshot alone, and
    every symlink on the way down obeys the same rule. `a/../b` could lead anywhere if `a` is one.
    """
    if target.startswith("/"):
        return "a symlink to an absolute path"
    steps = [step for step in target.split("/") if step not in ("", ".")]
    up = steps.count("..")
    if up > path.count("/"):
        return "a symlink that leaves the workspace"
    if ".." in steps[up:]:
        return "a symlink that goes up again after it has gone down"
    return text_fault(target, "target") if target else "a symlink without a target"


def text_fault(text: str, what: str) -> str:
    """Return what is wrong with the characters of a path or a target, empty if nothing is."""
    if "\0" in text:
        return f"its {what} has a NUL character"
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return f"its {what} is not UTF-8"
    return f"its {what} is longer than {PATH_LIMIT} bytes" if length > PATH_LIMIT else ""


def directories_above(path: str) -> Iterator[str]:
    """Yield the directories that lead to a path, from the root on, which is not among them."""
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)
