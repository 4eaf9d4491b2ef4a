"""`hookline runs`: the newest runs in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, repository_option, show_json

if TYPE_CHECKING:
    from runner.client import Client

STATUSES = ("queued", "running", "success", "warning", "failure", "error", "cancelled")


@click.command
@repository_option
@click.option("--branch", help="Only those of this branch.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand so.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@json_option
@with_client
def runs(
    client: Client,
    repository: str | None,
    branch: str | None,
    status: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, newest first.

    \b
    Example: hookline runs --repo acme/demo --status failure
    """
    import time

    from runner.cli.tables import show_table

    query = {"repository": repository, "branch": branch, "status": status, "limit": limit}
    found = client.get("/runs", query)
    if as_json:
        show_json(found)
        return
    now = time.time()
    headers = ("RUN", "STATUS", "REF", "COMMIT", "BEGAN", "TOOK", "MESSAGE")
    show_table(headers, [row_of(run, now) for run in found["runs"]], empty="no runs")


def row_of(run: dict[str, Any], now: float) -> tuple[str, ...]:
    """Return a run's cells."""
    from runner.cli.signs import signed
    from runner.cli.terminal import first_line
    from runner.cli.times import ago

    return (
        f"{run['repository']}#{run['number']}",
        signed(run["status"]),
        ref_of(run),
        str(run["commit"])[:10],
        ago(run["created_at"], now),
        lasted(run, now),
        first_line(run["message"] or ""),
    )


def lasted(run: dict[str, Any], now: float) -> str:
    """Return how long a run's newest attempt took so far; empty before it began."""
    from runner.cli.times import took

    return took(run["started_at"], run["ended_at"] or now)


def ref_of(run: dict[str, Any]) -> str:
    """Return the branch or tag of a run as people call it."""
    from runner.cli.terminal import first_line

    ref = str(run["ref"])
    name = run["branch"] or ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    if run["event"] == "pull_request":
        name = f"{ref.removeprefix('refs/')} → {name}"
    return first_line(name, 40)
