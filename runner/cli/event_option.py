"""The option that says which event to believe in: `push:BRANCH`, `tag:NAME`, `pull_request:BRANCH`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipelines.events import Event

_KINDS = ("push", "tag", "pull_request")
_NO_COMMIT = "0" * 40


def _checked(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    kind, _, name = (value or "push:main").partition(":")
    if kind not in _KINDS or not name:
        message = f"{value!r} is no event; write push:BRANCH, tag:NAME or pull_request:BRANCH"
        raise click.BadParameter(message)
    return value


event_option = click.option(
    "--event",
    metavar="EVENT",
    callback=_checked,
    help="What to believe happened: push:BRANCH, tag:NAME or pull_request:BRANCH.",
)


def event_of(text: str) -> Event:
    """Return the event that a checked option stands for, on no commit in particular."""
    from pipelines.events import PullRequest, Push, Tag

    kind, _, name = text.partition(":")
    if kind == "push":
        return Push(branch=name, commit=_NO_COMMIT)
    if kind == "tag":
        return Tag(tag=name, commit=_NO_COMMIT)
    return PullRequest(
        number=0,
        action="opened",
        branch=name,
        source_branch="",
        commit=_NO_COMMIT,
        ref="refs/heads/source",
        fork=False,
    )
