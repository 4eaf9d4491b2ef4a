"""`hookline show`: a run with its graph, how each step stands, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from runner.cli.connection import with_client
from runner.cli.options import json_option, repository_option, show_json

if TYPE_CHECKING:
    from runner.client import Client


@click.command(short_help="Show a run, its graph and its reasons.")
@click.argument("run")
@repository_option
@json_option
@with_client
def show(client: Client, run: str, repository: str | None, as_json: bool) -> None:
    """Show a run: its steps as a graph, how each stands, and why.

    RUN is NAME#NUMBER, NUMBER (with --repo if there are several repositories), or the run's id.

    \b
    Example: hookline show acme/demo#7
    """
    import time

    from runner.cli.naming import find_run
    from runner.cli.tables import screen_width

    found = find_run(client, run, repository)
    if as_json:
        show_json(found)
        return
    for line in described(found, time.time(), screen_width() or 100):
        click.echo(line)


def described(run: dict[str, Any], now: float, width: int) -> Iterator[str]:
    """Yield everything about a run in lines of at most `width` columns where that can be."""
    yield from header(run, now)
    steps = {step["name"]: step for step in run["steps"]}
    for kind, heading in (("normal", ""), ("finally", "finally")):
        chosen = {name: step for name, step in steps.items() if step["kind"] == kind}
        if chosen:
            yield ""
            if heading:
                yield heading
            yield from _drawn(chosen, now, width)
    told = list(reasons(steps.values()))
    if told:
        yield ""
        yield from told


def header(run: dict[str, Any], now: float) -> Iterator[str]:
    """Yield what holds for the run as a whole."""
    from runner.cli.runs import lasted, ref_of
    from runner.cli.signs import icon, signed
    from runner.cli.terminal import first_line
    from runner.cli.times import ago, full_time

    again = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
    time = lasted(run, now)
    title = click.style(f"{run['repository']}#{run['number']}", bold=True)
    yield f"{title}  {signed(run['status'])}{' ' + time if time else ''}{again}"
    author = f" by {first_line(run['author'], 60)}" if run["author"] else ""
    yield f"{run['event']} {ref_of(run)} at {str(run['commit'])[:10]}{author}"
    if run["message"]:
        yield f"  {first_line(run['message'])}"
    yield f"{full_time(run['created_at'])}, {ago(run['created_at'], now)}  {run['url']}"
    for text in run.get("errors", ()) or ([run["reason"]] if run["reason"] else []):
        yield from (f"{icon(run['status'])} {first_line(line)}" for line in text.splitlines())
    own = {f"{step['name']}: {text}" for step in run["steps"] for text in step["warnings"]}
    for text in (text for text in run["warnings"] if text not in own):
        yield f"{icon('warning')} {first_line(text)}"


def reasons(steps: Any) -> Iterator[str]:
    """Yield what there is to say about single steps: why, what they warned of, what they left."""
    from runner.cli.signs import icon
    from runner.cli.terminal import first_line, shown

    for step in steps:
        again = f" (attempt {len(step['attempts'])})" if len(step["attempts"]) > 1 else ""
        if step["reason"]:
            yield f"{icon(step['state'])} {step['name']}{again}: {first_line(step['reason'])}"
        for text in step["warnings"]:
            yield f"{icon('warning')} {step['name']}: {first_line(text)}"
        for name, value in step["outputs"].items():
            yield f"  {step['name']}.{name} = {first_line(str(value), 100)}"
        for artifact in step["artifacts"]:
            yield f"  {step['name']} left {shown(artifact['path'])} ({_size(artifact['size'])})"


def _drawn(steps: dict[str, dict[str, Any]], now: float, width: int) -> Iterator[str]:
    from runner.cli.drawing import draw
    from runner.cli.signs import icon
    from runner.cli.times import took

    labels = {}
    for name, step in steps.items():
        end = step["ended_at"] or (now if step["state"] == "running" else None)
        lasted = took(step["started_at"], end)
        labels[name] = f"{icon(step['state'])} {name}{' ' + lasted if lasted else ''}"
    needs = {name: [n for n in step["needs"] if n in steps] for name, step in steps.items()}
    yield from draw(needs, labels, width)


def _size(count: int) -> str:
    """Return a number of bytes in the unit that suits people best."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"
