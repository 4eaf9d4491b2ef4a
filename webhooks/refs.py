"""The names of refs: which a forge may tell us, so that none can do harm further down.

The rules are those of `git check-ref-format` (https://git-scm.com/docs/git-check-ref-format), and
ours on top: no control characters of any kind, no branch or tag that begins with a dash (it would
read as an option), at most 1024 bytes.
"""

from __future__ import annotations

import re

from webhooks.errors import PayloadError
from webhooks.texts import shown

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"
LONGEST = 1024

# In this order: controls, space and signs that git forbids, what UTF-8 cannot carry, sequences.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f~^:?*\[\\]|[\ud800-\udfff]|\.\.|@\{|//")
_OPTION = re.compile(r"refs/(heads|tags)/-")


def checked(ref: object) -> str:
    """Return `ref` if it is the full name of a ref; PayloadError `hostile-ref` if not."""
    if not isinstance(ref, str) or not _sound(ref):
        problem = f"{shown(ref)} is not the full name of a ref that git would carry"
        raise PayloadError(problem, code="hostile-ref")
    return ref


def checked_branch(name: object) -> str:
    """Return the short name of a branch if it is sound; PayloadError `hostile-ref` if not."""
    if not isinstance(name, str):
        return checked(name)
    return checked(BRANCHES + name).removeprefix(BRANCHES)


def short(ref: str) -> str:
    """Return a ref as people say it: `main`, `tag v1`, or the full name of any other."""
    if ref.startswith(TAGS):
        return f"tag {ref.removeprefix(TAGS)}"
    return ref.removeprefix(BRANCHES)


def _sound(ref: str) -> bool:
    if len(ref) > LONGEST or _FORBIDDEN.search(ref) or _OPTION.match(ref):
        return False
    parts = ref.split("/")
    return (
        parts[0] == "refs"
        and len(parts) > 2
        and len(ref.encode()) <= LONGEST
        and not ref.endswith(".")
        and all(_sound_part(part) for part in parts)
    )


def _sound_part(part: str) -> bool:
    return bool(part) and not part.startswith(".") and not part.endswith(".lock")
