"""`hookline version`: which Hookline this is, and on what it runs."""

from __future__ import annotations

import click

from runner.cli.options import json_option, show_json


def installed() -> str:
    """Return the version of the installed package."""
    from importlib.metadata import version as version_of

    return version_of("hookline")


@click.command(short_help="Show the versions of what is at work.")
@json_option
def version(as_json: bool) -> None:
    """Show the version of Hookline, Python and git.

    \b
    Example: hookline version --json
    """
    import platform
    import subprocess

    try:
        told = subprocess.run(
            ["git", "--version"],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except OSError:
        told = ""
    found = {
        "hookline": installed(),
        "python": platform.python_version(),
        "git": told.removeprefix("git version ").strip() or "not found",
        "system": f"{platform.system()} {platform.machine()}",
    }
    if as_json:
        show_json(found)
        return
    for name, value in found.items():
        click.echo(f"{name:<9} {value}")
