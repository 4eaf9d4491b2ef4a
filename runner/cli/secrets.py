"""`hookline secret`: what steps need and nobody else may see."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, show_json

if TYPE_CHECKING:
    from runner.client import Client


@click.group
def secret() -> None:
    """Set the secrets of a repository, list and remove them.

    A step that names a secret in `secrets:` finds it in a variable of that name.

    \b
    Example: hookline secret set acme/demo DEPLOY_KEY < id_ed25519
    """


@secret.command(name="set")
@click.argument("repository")
@click.argument("name")
@with_client
def set_(client: Client, repository: str, name: str) -> None:
    """Set the secret NAME of REPOSITORY to what comes on standard input.

    At a terminal it asks for the value, without showing it. What is one line loses its line end; a
    text of several lines stays as it is. A value that is there is replaced, and steps that start
    from now on get the new one.

    \b
    Example: hookline secret set acme/demo DEPLOY_KEY < id_ed25519
    """
    value = _asked(repository, name)
    made = client.post("/secrets", {"repository": repository, "name": name, "value": value})
    click.echo(f"set {made['name']} of {made['repository']}")


@secret.command(name="list")
@click.argument("repository")
@json_option
@with_client
def list_(client: Client, repository: str, as_json: bool) -> None:
    """List the secrets of REPOSITORY, without what they are: that is shown to nobody.

    \b
    Example: hookline secret list acme/demo
    """
    from runner.cli.tables import show_table
    from runner.cli.times import full_time

    found = client.get("/secrets", {"repository": repository})
    if as_json:
        show_json(found)
        return
    rows = [(s["name"], full_time(s["set_at"]), s["set_by"]) for s in found["secrets"]]
    empty = f"{repository} has no secret: hookline secret set {repository} NAME"
    show_table(("NAME", "SET", "BY"), rows, empty=empty)


@secret.command
@click.argument("repository")
@click.argument("name")
@with_client
def rm(client: Client, repository: str, name: str) -> None:
    """Remove the secret NAME of REPOSITORY; a step that still names it cannot run.

    \b
    Example: hookline secret rm acme/demo DEPLOY_KEY
    """
    from runner.client import path_of

    client.delete("/secrets" + path_of(repository, name))
    click.echo(f"removed {name} of {repository}")


def _asked(repository: str, name: str) -> str:
    """Return the value that is typed, or that comes on standard input."""
    from runner.secret_values import LARGEST, read_value

    if sys.stdin.isatty():
        question = f"Value of {name} of {repository}"
        typed = click.prompt(question, hide_input=True, confirmation_prompt=True)
        return read_value(str(typed).encode("utf-8", "surrogateescape"))
    # What is longer is refused for its size, however much more there is.
    return read_value(sys.stdin.buffer.read(LARGEST + 3))
