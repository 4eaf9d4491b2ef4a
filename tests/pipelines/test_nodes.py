"""The trees of expressions: how they are walked."""

from __future__ import annotations

from pipelines.nodes import Literal, StepOutput, children, walk
from pipelines.syntax import parse_tree


def test_a_walk_meets_every_node_in_order_and_knows_what_has_a_default() -> None:
    tree = parse_tree("default(len(env.A), env.B) == 1 and not (event.c[0] in [steps.d.status])")
    names = [
        (type(node).__name__, defaulted)
        for node, defaulted in walk(tree)
        if not isinstance(node, Literal)
    ]
    assert names == [
        ("Logic", False),
        ("Compare", False),
        ("Default", False),
        ("Call", True),
        ("Name", True),
        ("Name", False),
        ("Not", False),
        ("Compare", False),
        ("Index", False),
        ("Name", False),
        ("ListOf", False),
        ("StepStatus", False),
    ]
    assert children(StepOutput("a", "b", 1)) == ()
