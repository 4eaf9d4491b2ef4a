"""The graph of a run as SVG for its page: no styles in it, only classes that the stylesheet knows."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from runner.database.steps import Step
from runner.database.words import StepKind
from runner.web.columns import Needs
from runner.web.layout import Box, Layout, Point, arrange
from runner.web.words import duration, phrase, tone
from webhooks.badges import text_width

# Letters of 13 px against Verdana's of 11 px; most fonts are narrower than Verdana.
_SCALE = 1.2
_ICON = 34.0
_SPARE = 12.0
_NARROWEST, _WIDEST = 104.0, 236.0


def draw(steps: Sequence[Step]) -> Markup:
    """Return the drawing; empty without steps."""
    if not steps:
        return Markup("")
    needs, after = _needs(steps, StepKind.NORMAL), _needs(steps, StepKind.FINALLY)
    layout = arrange(needs, after, _width)
    by_name = {step.name: step for step in steps}
    parts = [
        *(_frame(frame) for frame in layout.frames),
        *(_wire(points) for points in layout.wires),
        _divider(layout),
        *(_node(by_name[box.name], box) for box in layout.boxes),
    ]
    return Markup(
        '<svg class="graph" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}"'
        ' role="group" aria-label="The graph of the steps">{parts}</svg>'
    ).format(w=layout.width, h=layout.height, parts=Markup("\n").join(parts))


def anchor(step: Step) -> str:
    """Return the id of a step's section in the page."""
    return f"step-{step.position}"


def fitted(text: str, width: float) -> str:
    """Return a text, cut where it would be wider than so many pixels."""
    if text_width(text) * _SCALE <= width:
        return text
    while text and text_width(text + "…") * _SCALE > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _needs(steps: Sequence[Step], kind: StepKind) -> Needs:
    """Return what steps of a kind need, as far as those are of the same kind."""
    names = {step.name for step in steps if step.kind is kind}
    return {
        step.name: tuple(need for need in step.needs if need in names)
        for step in steps
        if step.kind is kind
    }


def _width(label: str) -> float:
    """Return how wide a box with this label would like to be."""
    return min(max(text_width(label) * _SCALE + _ICON + _SPARE, _NARROWEST), _WIDEST)


def _frame(box: Box) -> Markup:
    return Markup(
        '<rect class="frame" x="{b.x:.1f}" y="{b.y:.1f}" width="{b.width:.1f}"'
        ' height="{b.height:.1f}" rx="12"/><text class="label" x="{x:.1f}" y="{y:.1f}">{name}</text>'
    ).format(b=box, x=box.x + 12, y=box.y + 17, name=fitted(box.label, box.width - 24))


def _wire(points: Sequence[Point]) -> Markup:
    path: list[str] = []
    for (x, y), (to_x, to_y) in zip(points[::2], points[1::2], strict=True):
        middle = (x + to_x) / 2
        path.append(f"{'L' if path else 'M'}{x:.1f} {y:.1f}")
        path.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
    return Markup('<path class="wire" d="{}"/>').format(" ".join(path))


def _divider(layout: Layout) -> Markup:
    if layout.divider is None:
        return Markup("")
    return Markup(
        '<path class="divider" d="M{x:.1f} 8V{end:.1f}"/>'
        '<text class="label" x="{label:.1f}" y="17">finally</text>'
    ).format(x=layout.divider, end=layout.height - 8, label=layout.divider + 8)


def _node(step: Step, box: Box) -> Markup:
    return Markup(
        '<a class="node {tone}" href="#{anchor}"><title>{title}</title>'
        '<rect x="{b.x:.1f}" y="{b.y:.1f}" width="{b.width:.1f}" height="{b.height:.1f}" rx="8"/>'
        '<use href="#i-{tone}" x="{icon_x:.1f}" y="{icon_y:.1f}" width="16" height="16"/>'
        '<text class="name" x="{text_x:.1f}" y="{name_y:.1f}">{name}</text>'
        '<text class="note" x="{text_x:.1f}" y="{note_y:.1f}"{since}>{note}</text></a>'
    ).format(
        tone=tone(step),
        anchor=anchor(step),
        title=_title(step),
        b=box,
        icon_x=box.x + 10,
        icon_y=box.y + box.height / 2 - 8,
        text_x=box.x + _ICON,
        name_y=box.y + box.height / 2 - 4,
        note_y=box.y + box.height / 2 + 13,
        name=fitted(box.label, box.width - _ICON - _SPARE / 2),
        note=_note(step),
        since=_since(step),
    )


def _title(step: Step) -> str:
    lasted = duration(step.started_at, step.ended_at)
    reason = f"\n{step.reason}" if step.reason else ""
    return f"{step.name}: {phrase(step)}{f' in {lasted}' if lasted else ''}{reason}"


def _note(step: Step) -> str:
    return duration(step.started_at, step.ended_at) or phrase(step)


def _since(step: Step) -> Markup:
    """Return what lets the page count the seconds of a step that runs."""
    if step.started_at is None or step.state.terminal:
        return Markup("")
    return Markup(' data-since="{:.3f}"').format(step.started_at)
