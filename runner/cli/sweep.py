"""`hookline sweep`: what is kept no longer is removed now, or only counted."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.config import config_option
from runner.cli.options import json_option, show_json


@click.command(short_help="Remove what is kept no longer.")
@click.option("--dry-run", is_flag=True, help="Remove nothing, and say what would be removed.")
@config_option
@json_option
def sweep(dry_run: bool, config_file: Path | None, as_json: bool) -> None:
    """Remove runs, snapshots, packs and logs whose time is over, as the server does by itself.

    It works on the database and the object store of the settings, so it belongs on the server's
    machine, beside a server that runs or without one. The settings `retention.*` say how long what
    is kept. A dry run does not count the logs of runs that it only imagines to be removed.

    \b
    Example: hookline sweep --dry-run
    """
    from contextlib import closing

    from runner import settings
    from runner.clock import SystemClock
    from runner.database.connection import open_database
    from runner.database.migrations import migrate
    from runner.objects.opening import open_store
    from runner.retention.sweeper import Sweeper

    known = settings.load(config_file)
    with closing(open_database(known.database_url.get_secret_value())) as database:
        migrate(database)
        objects = open_store(known)
        sweeper = Sweeper(database, objects, known.data, known.retention, SystemClock())
        report = sweeper.sweep(dry=dry_run)
    if as_json:
        show_json({"dry": dry_run, **report.record()})
        return
    click.echo(report.sentence("would remove" if dry_run else "removed"))
    for digest in (*report.missing, *report.damaged):
        click.echo(f"snapshot {digest} cannot be read, but a run needs it", err=True)
