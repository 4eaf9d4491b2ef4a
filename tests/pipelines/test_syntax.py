"""The grammar of expressions: what becomes which tree, and what is no expression."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.functions import SIGNATURES
from pipelines.nodes import (
    Call,
    Compare,
    Default,
    Index,
    ListOf,
    Literal,
    Logic,
    Name,
    Node,
    Not,
    Root,
    StepOutput,
    StepStatus,
    walk,
)
from pipelines.syntax import parse_tree
from pipelines.values import Comparison
from tests.pipelines.counting import steps

BRANCH = Name(Root.EVENT, "branch", 1)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("true", Literal(True, 1)),
        ("false", Literal(False, 1)),
        ("null", Literal(None, 1)),
        ("12", Literal(12, 1)),
        ('"main"', Literal("main", 1)),
        ("[]", ListOf((), 1)),
        ("[1, [2]]", ListOf((Literal(1, 2), ListOf((Literal(2, 6),), 5)), 1)),
        ("event.branch", BRANCH),
        ('event["branch"]', BRANCH),
        ("  event . branch", Name(Root.EVENT, "branch", 3)),
        ("env.HOME", Name(Root.ENV, "HOME", 1)),
        ("matrix.python-version", Name(Root.MATRIX, "python-version", 1)),
        ("matrix['python version']", Name(Root.MATRIX, "python version", 1)),
        ("inputs.not", Name(Root.INPUTS, "not", 1)),
        ("run.status", Name(Root.RUN, "status", 1)),
        ("steps.unit-test.status", StepStatus("unit-test", 1)),
        ('steps["build app"].status', StepStatus("build app", 1)),
        ('steps["build"]["status"]', StepStatus("build", 1)),
        ("steps.build.outputs.image", StepOutput("build", "image", 1)),
        ('steps.build.outputs["2nd"]', StepOutput("build", "2nd", 1)),
        ("steps.steps.status", StepStatus("steps", 1)),
        ("event.labels[0]", Index(Name(Root.EVENT, "labels", 1), (Literal(0, 14),), 1)),
        (
            'event.a.b["c"]',
            Index(Name(Root.EVENT, "a", 1), (Literal("b", 9), Literal("c", 11)), 1),
        ),
        ("success()", Call("success", (), 1)),
        ('changed("a", "b")', Call("changed", (Literal("a", 9), Literal("b", 14)), 1)),
        ("default(event.branch, 1)", Default(Name(Root.EVENT, "branch", 9), Literal(1, 23), 1)),
        ("(true)", Literal(True, 2)),
        ("not true", Not(Literal(True, 5), 1)),
        ("not not true", Not(Not(Literal(True, 9), 5), 1)),
        ("1 == 2", Compare(Comparison.EQUAL, Literal(1, 1), Literal(2, 6), 3)),
        ("1 not in []", Compare(Comparison.NOT_IN, Literal(1, 1), ListOf((), 10), 3)),
        (
            "not 1 == 2",
            Not(Compare(Comparison.EQUAL, Literal(1, 5), Literal(2, 10), 7), 1),
        ),
        (
            "true and false and null",
            Logic(True, (Literal(True, 1), Literal(False, 10), Literal(None, 20)), 1),
        ),
        (
            "true or true and not false",
            Logic(
                False,
                (Literal(True, 1), Logic(True, (Literal(True, 9), Not(Literal(False, 22), 18)), 9)),
                1,
            ),
        ),
        (
            "(true or true) and false",
            Logic(
                True,
                (Logic(False, (Literal(True, 2), Literal(True, 10)), 2), Literal(False, 20)),
                1,
            ),
        ),
        (
            "(1 == 1) == true",
            Compare(
                Comparison.EQUAL,
                Compare(Comparison.EQUAL, Literal(1, 2), Literal(1, 7), 4),
                Literal(True, 13),
                10,
            ),
        ),
    ],
)
def test_what_a_text_means(text: str, tree: Node) -> None:
    assert parse_tree(text) == tree
    assert hash(parse_tree(text)) == hash(tree)


@pytest.mark.parametrize("comparison", Comparison)
def test_every_comparison_can_be_written(comparison: Comparison) -> None:
    tree = parse_tree(f"1 {comparison} 2")
    assert isinstance(tree, Compare)
    assert tree.comparison is comparison


def test_columns_can_count_from_elsewhere() -> None:
    assert parse_tree("event.branch", 20) == Name(Root.EVENT, "branch", 20)


@pytest.mark.parametrize(
    ("text", "column", "message", "cure"),
    [
        ("", 1, "the expression is empty", 'event.branch == "main"'),
        (" \n ", 4, "the expression is empty", 'event.branch == "main"'),
        ("true false", 6, "an operator or the end is expected here, found `false`", "operator"),
        ("true ad false", 6, "found `ad`", "did you mean `and`?"),
        ("true AND false", 6, "found `AND`", "did you mean `and`?"),
        ("true )", 6, "found `)`", "write an operator or the end"),
        ("(true", 6, "`)` is expected here, found the end", "write `)`"),
        ("[1 2]", 4, "`,` is expected here, found `2`", "write `,`"),
        ("[1,]", 4, "a value is expected here, found `]`", "write a value"),
        ("[,1]", 2, "a value is expected here, found `,`", "write a value"),
        ("true and", 9, "a value is expected here, found the end", "write a value"),
        ("and true", 1, "a value is expected here, found `and`", "parentheses"),
        ("1 == not true", 6, "a value is expected here, found `not`", "parentheses"),
        ("1 not 2", 7, "`in` is expected here, found `2`", "write `in`"),
        ("1 < 2 < 3", 7, "comparisons do not chain", "`and`"),
        ("1 in [1] == true", 10, "comparisons do not chain", "`and`"),
        ("branch", 1, "there is no name `branch`", 'put text into quotes: "branch"'),
        ("evnt.branch", 1, "there is no name `evnt`", "did you mean `event`?"),
        ("True", 1, "there is no name `True`", "did you mean `true`?"),
        ("step.a.status", 1, "there is no name `step`", "did you mean `steps`?"),
        ("success", 1, "there is no name `success`", "write `success()`"),
        ("contains", 1, "there is no name `contains`", "write `contains(container, item)`"),
        ("sucess()", 1, "there is no function `sucess`", "did you mean `success`?"),
        ("eval('x')", 1, "there is no function `eval`", "there are success, failure"),
        ("success(1)", 1, "`success` takes no arguments, not 1", "write `success()`"),
        ("len()", 1, "`len` takes 1 argument, not 0", "write `len(value)`"),
        ("default(1)", 1, "`default` takes 2 arguments, not 1", "default(value, fallback)"),
        ("changed()", 1, "`changed` takes 1 argument or more, not 0", "changed(glob, …)"),
        ("event", 6, "`event` alone is no value", "`event.NAME`"),
        ("event == 1", 7, "`event` alone is no value", "`event.NAME`"),
        ("steps", 6, "`steps` alone is no value", "`steps.NAME`"),
        ("steps.a", 8, "`steps.a` alone is no value", "`steps.a.NAME`"),
        ("steps.a.outputs", 16, "`steps.a.outputs` alone is no value", ".outputs.NAME`"),
        ("steps.a.output.x", 8, "a step has no `output`", "did you mean `outputs`?"),
        ("steps.a.duration", 8, "a step has no `duration`", "steps.a.outputs.NAME"),
        ("run.id", 1, "a run has no `id`", "`run.status`"),
        ("event.[1]", 7, "a name is expected after `.`, found `[`", '["2nd build"]'),
        ("event.", 7, "a name is expected after `.`, found the end", '["2nd build"]'),
        ("matrix.3", 8, "a name is expected after `.`, found `3`", '["2nd build"]'),
        ("env[event.branch]", 5, "a string is expected in `env[…]`", 'env["name"]'),
        ('env["a"', 8, "`]` is expected here", "write `]`"),
        ("event.a[0", 10, "`]` is expected here", "write `]`"),
        ("(" * 33 + "1" + ")" * 33, 34, "nested deeper than 32", "flatter"),
        ("[" * 33 + "1" + "]" * 33, 34, "nested deeper than 32", "flatter"),
        ("not " * 33 + "true", 133, "nested deeper than 32", "flatter"),
        ("len(" * 33 + "1" + ")" * 33, 133, "nested deeper than 32", "flatter"),
        ("event.a[" * 33, 265, "nested deeper than 32", "flatter"),
    ],
)
def test_what_is_no_expression(text: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_tree(text)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [("(", "1", ")"), ("[", "1", "]"), ("not ", "true", ""), ("len(", "'x'", ")")],
)
def test_nesting_may_be_as_deep_as_is_said(opening: str, inner: str, closing: str) -> None:
    tree = parse_tree(opening * 31 + inner + closing * 31)
    assert len(list(walk(tree))) <= 33
    parse_tree(opening * 31 + f"({inner})" + closing * 31)


@pytest.mark.parametrize(
    "piece",
    ["true and ", "true or ", "1 in [2] and ", "steps.a.status == 'x' or ", "len('') > 0 or "],
)
def test_the_work_is_linear_in_the_text(piece: str) -> None:
    small = steps(lambda: parse_tree(piece * 20 + "true"))
    large = steps(lambda: parse_tree(piece * 80 + "true"))
    assert large < 4.2 * small


def test_a_long_chain_of_parts_is_no_deep_tree() -> None:
    tree = parse_tree("event.a" + ".b" * 2000)
    assert isinstance(tree, Index)
    assert len(tree.keys) == 2000


@given(st.text(max_size=80))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    assert_total(text)


WORDS = [
    *SIGNATURES,
    *Root,
    *Comparison,
    *("steps", "a", "outputs", "status", "and", "or", "not", "true", "null", "'x'", "1"),
    *".()[],",
]


@given(st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))
def test_any_words_are_an_expression_or_an_error(text: str) -> None:
    assert_total(text)


def assert_total(text: str) -> None:
    column = 1
    try:
        assert len(list(walk(parse_tree(text)))) <= len(text)
    except ExpressionError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1
