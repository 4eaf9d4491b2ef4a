"""`hookline repo`: the repositories that a server knows."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, show_json

if TYPE_CHECKING:
    from runner.client import Client

FORGES = ("github", "gitea", "forgejo", "git")
_HOSTS = {"github.com": "github", "codeberg.org": "forgejo", "gitea.com": "gitea"}
_SCP = re.compile(r"[^/:]+@[^/:]+:.+")


@click.group
def repo() -> None:
    """Register repositories, list and remove them.

    \b
    Example: hookline repo add acme/demo https://github.com/acme/demo.git
    """


@repo.command
@click.argument("name")
@click.argument("clone_url")
@click.option("--forge", type=click.Choice(FORGES), help="Known for local paths and big hosts.")
@click.option(
    "--api-url", metavar="URL", help="The forge's API, if it cannot be told from CLONE_URL."
)
@click.option("--web-url", metavar="URL", help="The repository's page.")
@click.option(
    "--token-stdin", is_flag=True, help="Read the forge's access token from standard input."
)
@click.option("--token-env", metavar="NAME", help="Take the access token from this variable.")
@click.option("--default-branch", metavar="BRANCH", help="The branch that badges show; main.")
@click.option("--public", is_flag=True, help="Let anybody see its runs and logs.")
@json_option
@with_client
def add(
    client: Client,
    name: str,
    clone_url: str,
    forge: str | None,
    api_url: str | None,
    web_url: str | None,
    token_stdin: bool,
    token_env: str | None,
    default_branch: str | None,
    public: bool,
    as_json: bool,
) -> None:
    """Register the repository NAME, such as acme/demo, which is fetched from CLONE_URL.

    A local path means a repository without a forge. The access token is for private repositories
    and for showing results on commits; it is never read from the command line itself.

    \b
    Example: hookline repo add acme/demo https://github.com/acme/demo.git --token-env GITHUB_TOKEN
    """
    place, known = located(clone_url)
    told = {
        "name": name,
        "forge": forge or known or _unknown_forge(clone_url),
        "clone_url": place,
        "api_url": api_url,
        "web_url": web_url,
        "token": forge_token(
            os.environ.get(token_env) if token_env else None, token_env, token_stdin
        ),
        "default_branch": default_branch,
        "visibility": "public" if public else None,
    }
    made = client.post("/repositories", {k: v for k, v in told.items() if v is not None})
    if as_json:
        show_json(made)
        return
    click.echo(f"registered {made['name']} ({made['forge']}, {place_of(made)})")
    click.echo(f"next: hookline hook add {made['name']}")


@repo.command(name="list")
@json_option
@with_client
def list_(client: Client, as_json: bool) -> None:
    """List the repositories.

    \b
    Example: hookline repo list
    """
    from runner.cli.tables import show_table

    found = client.get("/repositories")
    if as_json:
        show_json(found)
        return
    rows = [
        (r["name"], r["forge"], r["visibility"], r["default_branch"], place_of(r))
        for r in found["repositories"]
    ]
    headers = ("NAME", "FORGE", "VISIBLE", "BRANCH", "PLACE")
    show_table(headers, rows, empty="no repository yet: hookline repo add NAME CLONE_URL")


@repo.command
@click.argument("name")
@json_option
@with_client
def show(client: Client, name: str, as_json: bool) -> None:
    """Show what is known of a repository.

    \b
    Example: hookline repo show acme/demo
    """
    from runner.cli.times import full_time

    found = client.get(path_to(name))
    if as_json:
        show_json(found)
        return
    for key, value in found.items():
        text = full_time(value) if key.endswith("_at") else _shown(value)
        click.echo(f"{key.replace('_', ' '):<15} {text}".rstrip())


@repo.command
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_client
def rm(client: Client, name: str, yes: bool) -> None:
    """Remove a repository with its hooks, runs and logs.

    \b
    Example: hookline repo rm acme/demo --yes
    """
    if not yes:
        click.confirm(f"Remove {name} with all its hooks, runs and logs?", abort=True)
    client.delete(path_to(name))
    click.echo(f"removed {name}")


def path_to(name: str) -> str:
    """Return the API's path of a repository."""
    from runner.client import path_of

    return "/repositories" + path_of(name)


def place_of(repository: dict[str, Any]) -> str:
    """Return where a repository is, as far as this token may know."""
    return str(repository.get("clone_url") or repository.get("web_url") or "")


def located(clone_url: str) -> tuple[str, str | None]:
    """Return the address to fetch from, a local path made absolute, and the forge if it shows."""
    if "://" not in clone_url and not _SCP.fullmatch(clone_url):
        return str(Path(clone_url).expanduser().resolve()), "git"
    if clone_url.startswith("file://"):
        return clone_url, "git"
    return clone_url, _HOSTS.get(urlsplit(clone_url).hostname or "")


def forge_token(value: str | None, variable: str | None, from_stdin: bool) -> str | None:
    """Return the access token from where the options say it is; None if they do not.

    Raises UsageError if it is not there.
    """
    if variable and from_stdin:
        message = "--token-stdin and --token-env exclude each other"
        raise click.UsageError(message)
    if variable and not value:
        message = f"the variable {variable} is not set"
        raise click.UsageError(message)
    if from_stdin:
        value = sys.stdin.readline().strip()
        if not value:
            message = "there was no token on standard input"
            raise click.UsageError(message)
    return value


def _unknown_forge(clone_url: str) -> str:
    message = f"which forge is at {clone_url}? Say --forge {' or '.join(FORGES)}"
    raise click.UsageError(message)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
