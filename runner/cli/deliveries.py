"""`hookline deliveries`: what forges sent, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, repository_option, show_json

if TYPE_CHECKING:
    from runner.client import Client


@click.command(short_help="Show what forges sent.")
@click.argument("delivery", required=False)
@repository_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@json_option
@with_client
def deliveries(
    client: Client, delivery: str | None, repository: str | None, limit: int, as_json: bool
) -> None:
    """List what a repository's hooks delivered; with DELIVERY show what became of one.

    \b
    Example: hookline deliveries --repo acme/demo
    """
    from runner.cli.naming import only_repository
    from runner.client import path_of

    if delivery is not None:
        found = client.get("/deliveries" + path_of(delivery))
        show_json(found) if as_json else _show(found)
        return
    name = repository or only_repository(client)
    found = client.get("/deliveries", {"repository": name, "limit": limit})
    show_json(found) if as_json else _list(found["deliveries"], name)


def _list(found: list[dict[str, Any]], repository: str) -> None:
    import time

    from runner.cli.tables import show_table
    from runner.cli.terminal import first_line
    from runner.cli.times import ago

    now = time.time()
    rows = [
        (
            d["id"],
            ago(d["received_at"], now),
            first_line(d["event"] or "", 40),
            d["outcome"],
            first_line(d["reason"] or ""),
        )
        for d in found
    ]
    empty = f"nothing was delivered for {repository} yet"
    show_table(("ID", "CAME", "EVENT", "OUTCOME", "REASON"), rows, empty=empty)


def _show(delivery: dict[str, Any]) -> None:
    from runner.cli.terminal import first_line
    from runner.cli.times import full_time

    click.echo(
        f"{first_line(delivery['event'] or 'unknown')} at {full_time(delivery['received_at'])}"
    )
    why = f": {first_line(delivery['reason'])}" if delivery["reason"] else ""
    click.echo(f"{delivery['outcome']}{why}")
    for change in delivery["changes"]:
        led = (
            f"run {change['run']}" if change["run"] else f"no run: {change['reason'] or 'unknown'}"
        )
        click.echo(f"  {first_line(change['ref'])} at {change['commit'][:10]}: {first_line(led)}")
