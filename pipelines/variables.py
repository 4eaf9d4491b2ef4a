"""The variables that every step finds in its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.events import PullRequest, Tag
from pipelines.plan import Plan, PlannedStep, StepKind

REFERENCE: Mapping[str, str] = {
    "CI": "Always `true`.",
    "CI_RUN": "The id of the run.",
    "CI_RUN_NUMBER": "The number of the run in its repository, counted from 1.",
    "CI_STEP": "The name of the step, with its matrix values.",
    "CI_ATTEMPT": "Which try of the step this is; 1 for the first.",
    "CI_EVENT": "What happened: `push`, `tag`, `pull_request` or `manual`.",
    "CI_COMMIT": "The id of the commit.",
    "CI_REF": "The full name of the ref, for example `refs/heads/main`.",
    "CI_BRANCH": "The branch; of a pull request the one it wants to go into; empty for a tag.",
    "CI_TAG": "The tag; empty unless the event is one.",
    "CI_PULL_REQUEST": "The number of the pull request; empty unless the event is one.",
    "CI_SOURCE_BRANCH": "The branch a pull request comes from; empty unless the event is one.",
    "CI_COMMIT_MESSAGE": "The message of the commit, cut at 4 KiB.",
    "CI_COMMIT_AUTHOR": "Who made the commit or pushed it.",
    "CI_REPOSITORY": "The name of the repository, for example `acme/demo`.",
    "CI_RUN_URL": "The page of the run; empty where there is none.",
    "CI_RUN_STATUS": "In `finally` steps: the status the run has without them.",
    "CI_OUTPUT": "The file to which outputs are written.",
    "CI_WORKSPACE": "The folder of the workspace, in which the step starts.",
    "CI_MATRIX_<NAME>": "The value of each axis of the matrix.",
}
"""Every variable and what it holds; the reference page is made from it.

`CI_OUTPUT` and `CI_WORKSPACE` are set where the step runs, all others here.
"""


@dataclass(frozen=True)
class RunFacts:
    """What a step may know of its run beyond the plan."""

    run: str
    number: int
    repository: str
    url: str = ""


def variables(
    facts: RunFacts, plan: Plan, step: PlannedStep, attempt: int, run_status: str
) -> dict[str, str]:
    """Return what `REFERENCE` lists, for one attempt of a step."""
    event = plan.event
    pull_request = event if isinstance(event, PullRequest) else None
    found = {
        "CI": "true",
        "CI_RUN": facts.run,
        "CI_RUN_NUMBER": str(facts.number),
        "CI_STEP": step.name,
        "CI_ATTEMPT": str(attempt),
        "CI_EVENT": event.kind,
        "CI_COMMIT": event.commit,
        "CI_REF": event.ref,
        "CI_BRANCH": "" if isinstance(event, Tag) else event.branch,
        "CI_TAG": event.tag if isinstance(event, Tag) else "",
        "CI_PULL_REQUEST": str(pull_request.number) if pull_request else "",
        "CI_SOURCE_BRANCH": pull_request.source_branch if pull_request else "",
        "CI_COMMIT_MESSAGE": _cut(event.message),
        "CI_COMMIT_AUTHOR": event.author,
        "CI_REPOSITORY": facts.repository,
        "CI_RUN_URL": facts.url,
    }
    if step.kind is StepKind.FINALLY:
        found["CI_RUN_STATUS"] = run_status
    for axis, value in step.matrix.items():
        found[f"CI_MATRIX_{variable_name(axis)}"] = value
    return {name: _plain(value) for name, value in found.items()}


def _cut(text: str) -> str:
    """Return the first 4 KiB of a text, never half a character."""
    return text.encode("utf-8", "replace")[:4096].decode("utf-8", "ignore")


def _plain(text: str) -> str:
    """Return a text without what no environment can hold: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def variable_name(axis: str) -> str:
    """Return how a variable names an axis: `python-version` gives `PYTHON_VERSION`."""
    return re.sub(r"[^A-Z0-9]", "_", axis.upper())
