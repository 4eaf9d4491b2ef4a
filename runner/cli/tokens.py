"""`hookline token`: who may use the API, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, repository_option, show_json

if TYPE_CHECKING:
    from runner.client import Client


def _seconds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return the whole seconds in a duration such as `30d`."""
    from pipelines.durations import parse_duration
    from pipelines.errors import ExpressionError

    if value is None:
        return None
    try:
        seconds = int(parse_duration(value))
    except ExpressionError as error:
        message = f"{error.message}; {error.cure}"
        raise click.BadParameter(message) from error
    if seconds < 1:
        message = f"`{value}` is less than a second"
        raise click.BadParameter(message)
    return seconds


@click.group
def token() -> None:
    """Make API tokens, list and revoke them.

    \b
    Example: hookline token create laptop --scope write --expires 30d
    """


@token.command
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(("read", "write", "admin")),
    required=True,
    help="Look; look, rerun and cancel; or all of that and administer.",
)
@repository_option
@click.option("--expires", metavar="TIME", callback=_seconds, help="After that long, such as 30d.")
@json_option
@with_client
def create(
    client: Client,
    name: str,
    scope: str,
    repository: str | None,
    expires: int | None,
    as_json: bool,
) -> None:
    """Make a token called NAME and print it; it is shown this once.

    \b
    Example: hookline token create badge --scope read --repo acme/demo --expires 90d
    """
    body = {"name": name, "scope": scope, "repository": repository, "expires_in": expires}
    made = client.post("/tokens", {k: v for k, v in body.items() if v is not None})
    if as_json:
        show_json(made)
        return
    click.echo(made["token"])
    click.echo(
        f"keep it: it is not shown again. Use it as HOOKLINE_TOKEN; its id is {made['id']}",
        err=True,
    )


@token.command(name="list")
@json_option
@with_client
def list_(client: Client, as_json: bool) -> None:
    """List the tokens, without what could be used as one.

    \b
    Example: hookline token list
    """
    import time

    from runner.cli.tables import show_table
    from runner.cli.times import ago, full_time

    found = client.get("/tokens")
    if as_json:
        show_json(found)
        return
    now = time.time()
    rows = [
        (
            t["id"],
            t["scope"],
            t["repository"] or "all",
            ago(t["last_used_at"], now) or "never",
            _validity(t, now) or full_time(t["expires_at"]) or "for ever",
            t["name"],
        )
        for t in found["tokens"]
    ]
    headers = ("ID", "SCOPE", "REPOSITORY", "USED", "VALID UNTIL", "NAME")
    show_table(headers, rows, empty="no token yet: hookline token create NAME --scope read")


@token.command
@click.argument("token_id", metavar="ID")
@with_client
def rm(client: Client, token_id: str) -> None:
    """Revoke a token, at once and for good.

    \b
    Example: hookline token rm 3fK2m9Qx
    """
    from runner.client import path_of

    client.delete("/tokens" + path_of(token_id))
    click.echo(f"revoked {token_id}")


def _validity(token: dict[str, Any], now: float) -> str:
    """Return why a token is of no use any more; empty if it is."""
    if token["revoked_at"] is not None:
        return "revoked"
    expired = token["expires_at"] is not None and token["expires_at"] <= now
    return "expired" if expired else ""
