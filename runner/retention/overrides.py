"""Other times for some repositories, as the settings say them: `acme/*=7d/30d`."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.quantities import parse_duration


@dataclass(frozen=True)
class Override:
    """For repositories whose name fits the glob: how long workspaces and runs stay, in seconds."""

    glob: str
    workspaces: float
    runs: float

    def fits(self, repository: str) -> bool:
        """Whether it holds for the repository of this name."""
        return fnmatchcase(repository, self.glob)


def parse_override(text: str) -> Override:
    """Return what a text says; raise `ValueError` for one that is no override."""
    glob, equals, times = text.partition("=")
    workspaces, slash, runs = times.partition("/")
    if not (glob.strip() and equals and slash):
        message = (
            f"`{text}` is not like acme/*=7d/30d: names, then the time for workspaces and runs"
        )
        raise ValueError(message)
    found = Override(glob.strip(), parse_duration(workspaces), parse_duration(runs))
    if found.runs < found.workspaces:
        message = f"`{text}` keeps workspaces longer than their runs"
        raise ValueError(message)
    return found
