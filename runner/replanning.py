"""Making the plan of a run again, exactly as it was, from what the journal and the run kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipelines import loader, planning
from pipelines.documents import Limits as FileLimits
from pipelines.events import Event
from pipelines.plan import Plan
from runner.database.runs import Run


@dataclass(frozen=True)
class Replanner:
    """Keeps with a plan what it was made of; `config_of` gives the pipeline file of a run.

    A file that was taken once is taken again, whatever its limit is now.
    """

    config_of: Callable[[str], str]
    limits: planning.Limits

    def payload(self, changed: tuple[str, ...] | None) -> dict[str, Any]:
        """Return what the journal keeps of a plan that was made just now."""
        return {
            "changed": None if changed is None else list(changed),
            "limits": asdict(self.limits),
        }

    def plan(self, run: Run, payload: Mapping[str, Any]) -> Plan:
        """Return the plan of a run that was planned earlier, whatever the settings are now."""
        text = self.config_of(run.id)
        config = loader.load(text, limits=FileLimits(size=4 * len(text) + 1))
        changed = payload["changed"]
        return planning.plan(
            config,
            known_event(run.event, run.commit, run.message, run.author),
            planning.Limits(**payload["limits"]),
            None if changed is None else tuple(changed),
        )


def known_event(event: Event, commit: str, message: str, author: str) -> Event:
    """Return an event with what was found out since: the commit behind a tag, who wrote what."""
    return replace(
        event,
        commit=commit,
        message=event.message or message,
        author=event.author or author,
    )
