"""`hookline logs`: what the steps of a run wrote, once or as they write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.options import repository_option

if TYPE_CHECKING:
    from runner.client import Client

_RED = ("failure", "error")


@click.command(short_help="Print or follow the logs of a run.")
@click.argument("run")
@click.argument("step", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the step, or the run, has ended.")
@click.option("--attempt", type=click.IntRange(min=1), help="An earlier attempt of the step.")
@click.option("--service", metavar="NAME", help="The log of a service of the step, once it ended.")
@click.option("--timestamps", is_flag=True, help="Put the time before each line.")
@repository_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@with_client
def logs(
    client: Client,
    run: str,
    step: str | None,
    follow: bool,
    attempt: int | None,
    service: str | None,
    timestamps: bool,
    repository: str | None,
    as_json: bool,
) -> None:
    """Print the log of a step; without STEP those of all failed steps, or of all if none failed.

    RUN is NAME#NUMBER, NUMBER (with --repo if there are several repositories), or the run's id.
    Of the escape sequences in a log only colours are printed.

    \b
    Example: hookline logs acme/demo#7 test -f
    """
    from runner.cli.following import Follower, Printer
    from runner.cli.naming import find_run

    check_options(step, attempt, service, follow=follow)
    found = find_run(client, run, repository)
    check_step(found, step)
    check_service(found, step, service)
    steps = [step] if step else chosen(found)
    named = step is None and (follow or len(steps) > 1)
    printer = Printer(click.echo, timestamps=timestamps, named=named, as_json=as_json)
    follower = Follower(client, found["id"], printer)
    if follow and attempt is None:
        follower.follow(step)
        return
    for name in steps:
        follower.read(name, attempt or latest(found, name), follow=follow, service=service)
    if not steps:
        click.echo("; ".join(found.get("errors", ())) or "no step has run yet", err=True)


def check_options(
    step: str | None, attempt: int | None, service: str | None, *, follow: bool
) -> None:
    """Raise UsageError for options that do not go together."""
    if attempt is not None and step is None:
        message = "--attempt needs a STEP"
        raise click.UsageError(message)
    if service is not None and step is None:
        message = "--service needs a STEP"
        raise click.UsageError(message)
    if service is not None and follow:
        message = "--service cannot be followed: its log is kept when the step has ended"
        raise click.UsageError(message)


def check_service(run: dict[str, Any], step: str | None, service: str | None) -> None:
    """Raise UsageError for a service that a step does not have."""
    names = [name for found in run["steps"] if found["name"] == step for name in found["services"]]
    if service is not None and service not in names:
        listed = ", ".join(names) or "none"
        message = f"the step {step!r} has no service {service!r}; it has {listed}"
        raise click.UsageError(message)


def check_step(run: dict[str, Any], step: str | None) -> None:
    """Raise UsageError for a step that a run does not have; before its plan that is not known."""
    names = [str(found["name"]) for found in run["steps"]]
    if step is not None and names and step not in names:
        message = f"the run has no step {step!r}; it has {', '.join(names)}"
        raise click.UsageError(message)


def latest(run: dict[str, Any], step: str) -> int | None:
    """Return the number of a step's latest attempt; None if there is none."""
    attempts = [a for found in run["steps"] if found["name"] == step for a in found["attempts"]]
    return int(attempts[-1]["number"]) if attempts else None


def chosen(run: dict[str, Any]) -> list[str]:
    """Return the steps that ran and failed, or all that ran if none failed."""
    ran = [found for found in run["steps"] if found["attempts"]]
    red = [str(found["name"]) for found in ran if found["state"] in _RED]
    return red or [str(found["name"]) for found in ran]
