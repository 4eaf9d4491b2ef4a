"""How long the runs of one repository keep what they left."""

from __future__ import annotations

from dataclasses import dataclass

from runner.retention.overrides import parse_override
from runner.settings_model import Retention


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Times in seconds since a run's end, after which its workspaces go, and then all of it.

    The newest `keep` runs of each branch stay, as long as the branch had a run within the last
    `branches` seconds or is the default branch.
    """

    workspaces: float
    runs: float
    keep: int
    branches: float


def policy_of(settings: Retention, repository: str) -> Policy:
    """Return what holds for the repository of this name: the first override that fits, if any."""
    overrides = (parse_override(text) for text in settings.repositories)
    own = next((override for override in overrides if override.fits(repository)), None)
    return Policy(
        workspaces=own.workspaces if own else settings.workspaces,
        runs=own.runs if own else settings.runs,
        keep=settings.keep,
        branches=settings.branches,
    )
