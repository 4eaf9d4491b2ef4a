"""Whether a commit message asks to skip CI, in the words that GitHub made common.

https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs
"""

from __future__ import annotations

import re

_ASKS = re.compile(r"\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)


def asks_to_skip(message: str) -> bool:
    """Whether a head commit's whole message (subject and body) asks that no run be started."""
    return _ASKS.search(message) is not None
