"""Which server a command speaks to, and with which token."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from runner.client import Client

P = ParamSpec("P")

LOCAL_TOKEN = "admin.token"  # noqa: S105 - the name of a file


def with_client(command: Callable[Concatenate[Client, P], None]) -> Callable[P, None]:
    """Give a command a client as its first argument, and an option that says where the server is."""

    @click.option("--url", metavar="URL", help="The server; else HOOKLINE_URL, else the settings.")
    @functools.wraps(command)
    def connected(*args: P.args, **kwargs: P.kwargs) -> None:
        from runner.client import Client

        url, token = target(_text(kwargs.pop("url")), os.environ)
        with Client(url, token) as client:
            command(client, *args, **kwargs)

    return connected


def target(url: str | None, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the server's address and the token for it, None if there is none.

    The settings are read only where the command line and the environment leave something open.
    Raises SettingsError, and UsageError for what is no address.
    """
    from runner.client import is_loopback

    url = url or environ.get("HOOKLINE_URL")
    token = environ.get("HOOKLINE_TOKEN") or None
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        message = f"{url!r} is no address; write one such as https://ci.example.com"
        raise click.UsageError(message)
    if url is None or (token is None and is_loopback(url)):
        from runner import settings

        known = settings.load(environ=environ)
        url = url or known.url
        if token is None and is_loopback(url):
            token = local_token(known.data)
    return url, token


def local_token(data: Path) -> str | None:
    """Return the token that a server on this machine leaves for its own user; None without one."""
    try:
        return (data / LOCAL_TOKEN).read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
