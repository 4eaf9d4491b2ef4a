"""Errors say where, what and what would be right; each has a stable code."""

from __future__ import annotations

import pytest

from pipelines.errors import (
    ConfigError,
    ExpressionError,
    IllegalTransition,
    Mistake,
    PipelineError,
    Position,
)

_KINDS: list[type[PipelineError]] = [PipelineError, *PipelineError.__subclasses__()]


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (Mistake("c", "it is wrong", "mend it"), ".ci.yaml: it is wrong (mend it)"),
        (Mistake("c", "it is wrong", ""), ".ci.yaml: it is wrong"),
        (
            Mistake("c", "it is wrong", "mend it", "x.yaml", Position(3, 14)),
            "x.yaml:3:14: it is wrong (mend it)",
        ),
    ],
)
def test_a_mistake_in_a_line(mistake: Mistake, text: str) -> None:
    assert str(mistake) == text


def test_a_config_error_tells_every_mistake() -> None:
    mistakes = (Mistake("a", "one", ""), Mistake("b", "two", ""))
    error = ConfigError(mistakes)
    assert error.mistakes == mistakes
    assert str(error) == ".ci.yaml: one\n.ci.yaml: two"


def test_an_expression_error_points_at_a_column() -> None:
    assert str(ExpressionError("no", column=4, cure="yes")) == "column 4: no (yes)"
    assert str(ExpressionError("no", column=4)) == "column 4: no"


def test_an_illegal_transition_carries_the_story() -> None:
    error = IllegalTransition("a", "success", "running", ("1 began", "2 ended"))
    assert str(error) == (
        "a: success -> running is no transition. The story:\n  1 began\n  2 ended"
    )
    assert str(IllegalTransition("a", "b", "c", ())).endswith("\n  (nothing)")


def test_codes_are_stable_and_tell_kinds_apart() -> None:
    codes = {kind.__name__: kind.code for kind in _KINDS}
    assert codes == {
        "PipelineError": "pipeline",
        "ConfigError": "config",
        "ExpressionError": "expression",
        "PlanError": "plan",
        "IllegalTransition": "illegal-transition",
    }


def test_positions_stand_in_the_order_of_the_text() -> None:
    assert Position(1, 9) < Position(2, 1) < Position(2, 2)
