"""`hookline serve`: a server in the foreground."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from runner.cli.config import config_option


@click.command(short_help="Start a server.")
@click.option("--host", metavar="ADDRESS", help="The address to listen on, such as 0.0.0.0.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="PORT", help="The port to listen on."
)
@click.option(
    "--data", type=click.Path(file_okay=False), metavar="FOLDER", help="Where everything is kept."
)
@config_option
def serve(host: str | None, port: int | None, data: str | None, config_file: Path | None) -> None:
    """Start a server: webhooks, engine, API and pages, until Ctrl-C or SIGTERM.

    The options outrank the environment and the settings file; `hookline config` shows what holds
    without them. Steps that run when the server ends go on, and are taken up at the next start.

    What cannot be used as the settings say ends it with 3: a database, a data folder, a bucket, a
    key, a kubeconfig, a namespace, a right. An object store or a cluster that only does not answer
    is waited for: the log says so, and /readyz answers 503 until it was reached.

    \b
    Example: hookline serve --port 8080 --data ./data
    """
    import contextlib
    import signal

    from runner import server, settings

    known = settings.load(config_file, told(os.environ, host, port, data))
    # Without this a SIGTERM, given on when the sockets are closed, would end the process at once.
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve(known)


def told(
    environ: Mapping[str, str], host: str | None, port: int | None, data: str | None
) -> dict[str, str]:
    """Return an environment that says what the options say."""
    options = {
        "HOOKLINE_LISTEN__HOST": host,
        "HOOKLINE_LISTEN__PORT": None if port is None else str(port),
        "HOOKLINE_DATA": data,
    }
    return {**environ, **{name: text for name, text in options.items() if text is not None}}


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
