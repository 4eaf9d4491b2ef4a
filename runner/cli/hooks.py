"""`hookline hook`: how a forge, or a bare repository, tells the server of pushes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, show_json
from runner.cli.repositories import path_to, place_of

if TYPE_CHECKING:
    from runner.client import Client

_BARE = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)


@click.group
def hook() -> None:
    """Make hooks for a repository, list and remove them.

    \b
    Example: hookline hook add acme/demo
    """


@hook.command
@click.argument("name")
@json_option
@with_client
def add(client: Client, name: str, as_json: bool) -> None:
    """Make a hook for the repository NAME; print its address and secret, and where they belong.

    The secret is shown this once.

    \b
    Example: hookline hook add acme/demo
    """
    made = client.post("/hooks", {"repository": name})
    if as_json:
        show_json(made)
        return
    click.echo(f"Address  {made['url']}")
    click.echo(f"Secret   {made['secret']}")
    click.echo("")
    for line in directions(client.get(path_to(name))):
        click.echo(line)


@hook.command(name="list")
@click.argument("name")
@json_option
@with_client
def list_(client: Client, name: str, as_json: bool) -> None:
    """List the hooks of the repository NAME.

    \b
    Example: hookline hook list acme/demo
    """
    from runner.cli.tables import show_table
    from runner.cli.times import full_time

    found = client.get("/hooks", {"repository": name})
    if as_json:
        show_json(found)
        return
    rows = [(h["id"], full_time(h.get("created_at")), h["url"]) for h in found["hooks"]]
    show_table(
        ("ID", "MADE", "ADDRESS"), rows, empty=f"{name} has no hook: hookline hook add {name}"
    )


@hook.command
@click.argument("hook_id", metavar="ID")
@with_client
def rm(client: Client, hook_id: str) -> None:
    """Remove a hook; what the forge still sends to it is refused.

    \b
    Example: hookline hook rm 0h4zq1b7p2v8
    """
    from runner.client import path_of

    client.delete("/hooks" + path_of(hook_id))
    click.echo(f"removed the hook {hook_id}")


@hook.command
@click.argument("bare", type=_BARE)
@click.option("--name", help="The repository's name at the server; else that of its folder.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a push shows what becomes of it.",
)
@click.option(
    "--chain", is_flag=True, help="Keep a post-receive hook that is there, and run it first."
)
@with_client
def install(client: Client, bare: Path, name: str | None, wait: float, chain: bool) -> None:
    """Let pushes into the bare repository at BARE start runs.

    Registers the repository if the server does not know it, makes a hook there, and puts a
    post-receive hook into the repository. Doing it again renews all that.

    \b
    Example: hookline hook install /srv/git/demo.git --wait 60
    """
    from runner.client import NotFound, path_of
    from webhooks import install as hooks

    hooks.check(bare, chain=chain)
    name = name or bare.name.removesuffix(".git")
    _register(client, name, bare)
    before = installed(bare, client.url)
    made = client.post("/hooks", {"repository": name})
    try:
        path = hooks.install(bare, client.url, made["id"], made["secret"], wait, chain=chain)
    except BaseException:
        client.delete("/hooks" + path_of(made["id"]))
        raise
    if before is not None:
        try:
            client.delete("/hooks" + path_of(before))
        except NotFound:
            click.echo(f"the hook before, {before}, was gone already", err=True)
    click.echo(f"{'renewed' if before else 'installed'} {path}")
    click.echo(f"a push into {bare} starts a run of {name} at {client.url}")


@hook.command
@click.argument("bare", type=_BARE)
@with_client
def uninstall(client: Client, bare: Path) -> None:
    """Take the hook out of the bare repository at BARE, and remove it at the server.

    Runs and the repository's registration stay.

    \b
    Example: hookline hook uninstall /srv/git/demo.git
    """
    from runner.client import ClientError, path_of
    from webhooks import install as hooks

    known = installed(bare, client.url)
    was_there = hooks.uninstall(bare)
    click.echo(f"removed the hook from {bare}" if was_there else f"{bare} has no hook of ours")
    if known is None:
        return
    try:
        client.delete("/hooks" + path_of(known))
    except ClientError as error:
        click.echo(f"the server could not be told: {error}", err=True)
        click.echo(f"later: hookline hook rm {known}", err=True)


def installed(bare: Path, url: str) -> str | None:
    """Return the id of the hook that a bare repository has for the server at `url`, if any."""
    import json

    from webhooks.post_receive import SETTINGS

    try:
        found = json.loads((bare / "hooks" / SETTINGS).read_text("utf-8"))
        address, _, hook_id = str(found["url"]).rpartition("/hooks/git/")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hook_id if hook_id and address == url else None


def directions(repository: dict[str, Any]) -> Iterator[str]:
    """Yield where address and secret of a hook belong, for the forge of a repository."""
    forge, place = repository["forge"], place_of(repository)
    page = repository.get("web_url") or _page(place)
    if forge == "git":
        yield f"For a bare repository on this machine: hookline hook install {place}"
        yield "It makes a hook of its own; remove this one, unless you sign deliveries yourself."
        return
    if forge == "github":
        yield f"Add it at {page}/settings/hooks/new"
        yield "Content type: application/json"
        yield "Events: Pushes, Pull requests"
        return
    yield f"Add it at {page}/settings/hooks/{forge}/new"
    yield "HTTP method: POST, content type: application/json"
    yield "Trigger on: push, pull request, pull request synchronized; branch filter: *"


def _page(clone_url: str) -> str:
    """Return the page of a repository whose clone address is as forges make them."""
    parts = urlsplit(clone_url)
    return f"https://{parts.hostname or ''}{parts.path.removesuffix('.git')}"


def _register(client: Client, name: str, bare: Path) -> None:
    """Make sure that the server knows the repository, and by this name no other."""
    from runner.client import NotFound

    try:
        known = client.get(path_to(name))
    except NotFound:
        client.post("/repositories", {"name": name, "forge": "git", "clone_url": str(bare)})
        click.echo(f"registered {name}")
        return
    place = place_of(known)
    if known["forge"] != "git" or Path(place.removeprefix("file://")).resolve() != bare:
        message = f"{name} is registered for {place}; choose another name with --name"
        raise click.UsageError(message)
