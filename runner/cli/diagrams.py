"""A plan as the text of a diagram that other programs draw: Mermaid and Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.plan import Plan, StepKind


def mermaid(plan: Plan) -> str:
    """Return a Mermaid flowchart; see https://mermaid.js.org/syntax/flowchart.html."""
    ids = {name: f"s{place}" for place, name in enumerate(plan.steps)}
    lines = ["flowchart LR"]
    lines += [f'  {ids[name]}["{_mermaid_text(name)}"]' for name in plan.normal]
    if plan.final:
        lines.append("  subgraph finally")
        lines += [f'    {ids[name]}["{_mermaid_text(name)}"]' for name in plan.final]
        lines.append("  end")
    lines += [f"  {ids[need]} --> {ids[name]}" for need, name in _edges(plan)]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """Return a Graphviz digraph; see https://graphviz.org/doc/info/lang.html."""
    lines = ["digraph pipeline {", "  rankdir=LR;", "  node [shape=box];"]
    for name, step in plan.steps.items():
        style = " [style=dashed]" if step.kind is StepKind.FINALLY else ""
        lines.append(f"  {_dot_text(name)}{style};")
    lines += [f"  {_dot_text(need)} -> {_dot_text(name)};" for need, name in _edges(plan)]
    return "\n".join([*lines, "}"]) + "\n"


def _edges(plan: Plan) -> Iterator[tuple[str, str]]:
    for name, step in plan.steps.items():
        for need in dict.fromkeys(step.needs):
            yield need, name


def _mermaid_text(text: str) -> str:
    """Return a text with everything that Mermaid could take for markup as a character code."""
    return "".join(c if c.isalnum() or c in " _-.,()=/:" else f"#{ord(c)};" for c in text)


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
