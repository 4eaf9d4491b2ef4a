"""Which run somebody means: by id, by the beginning of one, or by repository and number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from runner.client import Client

_NUMBER = re.compile(r"(?P<repository>[^#]*)#(?P<number>[0-9]{1,9})|(?P<bare>[0-9]{1,9})")
_RECENT = 100
RUN_HELP = "RUN is NAME#NUMBER, NUMBER (with --repo if there are several), or the run's id."


def find_run(client: Client, text: str, repository: str | None) -> dict[str, Any]:
    """Return the run that a text names, with its steps.

    Raises UsageError for a text that names none or several, and ClientError.
    """
    if found := _NUMBER.fullmatch(text):
        name = found["repository"] or repository or only_repository(client)
        return _numbered(client, name, int(found["number"] or found["bare"]))
    from runner.client import NotFound, path_of

    try:
        return client.get("/runs" + path_of(text))
    except NotFound:
        return _begun_with(client, text)


def only_repository(client: Client) -> str:
    """Return the name of the one repository there is. Raises UsageError if there are others."""
    names = [str(found["name"]) for found in client.get("/repositories")["repositories"]]
    if len(names) != 1:
        shown = ", ".join(names[:10]) or "none yet"
        message = f"say which repository: NAME#NUMBER, or --repo NAME; there is {shown}"
        raise click.UsageError(message)
    return names[0]


def _numbered(client: Client, repository: str, number: int) -> dict[str, Any]:
    found = client.get("/runs", {"repository": repository, "number": number})["runs"]
    if not found:
        message = f"{repository} has no run {number}; `hookline runs` lists those there are"
        raise click.UsageError(message)
    return _full(client, found[0])


def _begun_with(client: Client, text: str) -> dict[str, Any]:
    recent = client.get("/runs", {"limit": _RECENT})["runs"]
    fitting = [run for run in recent if str(run["id"]).startswith(text)]
    if len(fitting) != 1:
        several = f"{len(fitting)} runs have ids that begin with {text!r}"
        message = several if fitting else f"there is no run {text!r}"
        raise click.UsageError(f"{message}; `hookline runs` lists those there are")
    return _full(client, fitting[0])


def _full(client: Client, run: dict[str, Any]) -> dict[str, Any]:
    from runner.client import path_of

    return client.get("/runs" + path_of(run["id"]))
