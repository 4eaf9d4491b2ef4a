"""`hookline graph`: the steps of a pipeline file and who waits for whom, as a drawing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from runner.cli.event_option import event_of, event_option
from runner.cli.lint import default_files

if TYPE_CHECKING:
    from pipelines.plan import Plan, PlannedStep

FORMATS = ("text", "mermaid", "dot")

_TOLD = frozenset({"kind", "branch", "tag"})
"""What `--event` says of an event; the rest of one is made up here."""


@click.command(short_help="Draw the graph of a pipeline file.")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@event_option
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Boxes in the terminal, or the text of a Mermaid or Graphviz diagram.",
)
def graph(file: str | None, event: str | None, form: str) -> None:
    """Draw the graph of a pipeline file, by default the .ci.yaml of this folder.

    With --event it also says whether that event makes a run, and which steps it would skip.

    \b
    Example: hookline graph --event push:main --format mermaid
    """
    from pathlib import Path

    from pipelines import loader, planning
    from pipelines.events import Manual
    from pipelines.triggers import refusal
    from runner.cli import diagrams

    (path,) = default_files((file,) if file else ())
    config = loader.load(Path(path).read_bytes(), path=path)
    happened = event_of(event) if event else Manual(branch="main", commit="0" * 40)
    plan = planning.plan(config, happened)
    if form != "text":
        click.echo(diagrams.mermaid(plan) if form == "mermaid" else diagrams.dot(plan), nl=False)
        return
    if event and (why := refusal(config.on, happened, None)):
        click.echo(f"{event} makes no run: {why}\n")
    width = shutil.get_terminal_size((100, 24)).columns
    for line in drawn(plan, width, with_event=event is not None):
        click.echo(line)


def drawn(plan: Plan, width: int, *, with_event: bool) -> Iterator[str]:
    """Yield the lines of a plan's drawing and of what has to be said about single steps."""
    from runner.cli.drawing import draw

    for heading, names in (("", plan.normal), ("finally", plan.final)):
        if heading and names:
            yield ""
            yield heading
        needs = {name: plan.steps[name].needs for name in names}
        yield from draw(needs, {name: name for name in names}, width)
    notes = list(_notes(plan, with_event=with_event))
    if notes:
        yield ""
        yield from notes


def _notes(plan: Plan, *, with_event: bool) -> Iterator[str]:
    for name, step in plan.steps.items():
        if step.when is None:
            continue
        if with_event and (verdict := _verdict(plan, step)) is not None:
            told = "runs" if verdict else "is skipped"
            yield f"{name} {told}: {step.when.text}"
        else:
            yield f"{name} runs only when {step.when.text}"


def _verdict(plan: Plan, step: PlannedStep) -> bool | None:
    """Return whether a step's condition holds; None if only the run itself can tell."""
    from pipelines.conditions import scope_of
    from pipelines.errors import ExpressionError
    from pipelines.expressions import ReferenceKind
    from pipelines.machine import Machine

    if step.when is None or step.when.looks_at_status:
        return None
    for look in step.when.references():
        unknown = look.kind is ReferenceKind.EVENT and look.name not in _TOLD
        if look.kind is ReferenceKind.OUTPUT or unknown:
            return None
    try:
        return step.when.holds(scope_of(plan, step, Machine(plan).steps, ""))
    except ExpressionError:
        return None
