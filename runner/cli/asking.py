"""`hookline rerun` and `hookline cancel`: what can be asked of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.exits import ExitCode
from runner.cli.options import json_option, repository_option, show_json

if TYPE_CHECKING:
    from runner.client import Client

_GREEN = ("success", "warning")


@click.command(short_help="Run an ended run again.")
@click.argument("run")
@click.option("--failed", is_flag=True, help="Only what failed, and what depends on it.")
@click.option("--wait", is_flag=True, help="Show what happens, and end as the run does.")
@repository_option
@json_option
@with_client
def rerun(
    client: Client, run: str, failed: bool, wait: bool, repository: str | None, as_json: bool
) -> None:
    """Run an ended run again, on the same commit and with the same pipeline file.

    RUN is NAME#NUMBER, NUMBER (with --repo if there are several repositories), or the run's id.
    With --wait the exit code is 1 if the run fails.

    \b
    Example: hookline rerun acme/demo#7 --failed --wait
    """
    from runner.cli.naming import find_run
    from runner.client import path_of

    found = find_run(client, run, repository)
    path = "/runs" + path_of(found["id"])
    asked = client.post(f"{path}/rerun", {"mode": "failed" if failed else "all"})
    if not wait:
        _answer(asked, "runs again", as_json=as_json)
        return
    last = asked
    reporter = StepReporter(asked)
    for event in client.stream(f"{path}/stream"):
        if event.kind == "run":
            last = event.data
            for line in reporter.news(last):
                if not as_json:
                    click.echo(line)
    _conclude(last, as_json=as_json)


@click.command(short_help="Ask a run to end.")
@click.argument("run")
@repository_option
@json_option
@with_client
def cancel(client: Client, run: str, repository: str | None, as_json: bool) -> None:
    """Ask a run to end: its steps get SIGTERM, and `finally` steps still run.

    RUN is NAME#NUMBER, NUMBER (with --repo if there are several repositories), or the run's id.

    \b
    Example: hookline cancel acme/demo#7
    """
    from runner.cli.naming import find_run
    from runner.client import path_of

    found = find_run(client, run, repository)
    asked = client.post("/runs" + path_of(found["id"]) + "/cancel", {})
    _answer(asked, "is asked to end", as_json=as_json)


class StepReporter:
    """Says of each step of a run that it began and how it ended; `before` is how things stood."""

    def __init__(self, before: dict[str, Any]) -> None:
        self._said = {step["name"]: _stands(step) for step in before["steps"]}

    def news(self, run: dict[str, Any]) -> Iterator[str]:
        """Yield a line for each step that stands otherwise than it did."""
        from runner.cli.signs import icon
        from runner.cli.terminal import first_line
        from runner.cli.times import took

        for step in run["steps"]:
            name, stands = step["name"], _stands(step)
            if self._said.get(name) == stands:
                continue
            self._said[name] = stands
            if step["state"] not in ("pending", "queued"):
                lasted = took(step["started_at"], step["ended_at"])
                why = f": {first_line(step['reason'])}" if step["reason"] else ""
                yield f"{icon(step['state'])} {name}{' ' + lasted if lasted else ''}{why}"


def _stands(step: dict[str, Any]) -> tuple[int, str]:
    return len(step["attempts"]), str(step["state"])


def _answer(run: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        show_json(run)
        return
    click.echo(f"{run['repository']}#{run['number']} {what}  {run['url']}")


def _conclude(run: dict[str, Any], *, as_json: bool) -> None:
    """Print how a run ended and leave with the exit code for it."""
    from runner.cli.signs import signed

    if as_json:
        show_json(run)
    else:
        click.echo(f"{run['repository']}#{run['number']} {signed(run['status'])}")
    green = run["status"] in _GREEN
    click.get_current_context().exit(ExitCode.OK if green else ExitCode.RUN_FAILED)
