"""Texts with `${{ }}`: what is found in them, and what they become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.expressions import MissingOutput, ReferenceKind, Scope, StepView, Value
from pipelines.templates import parse_condition, parse_template
from pipelines.values import MAX_TEXT
from tests.pipelines.counting import steps

SCOPE = Scope(
    event={"branch": "main", "fork": False, "number": 7, "before": None, "labels": ["a", 1]},
    matrix={"python": "3.12"},
    steps={
        "split": StepView("success", {"shards": '["x"]', "big": "x" * 100_000}),
        "lint": StepView("skipped", skipped=True),
    },
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain", "plain"),
        ("python:${{ matrix.python }}-slim", "python:3.12-slim"),
        ("${{matrix.python}}", "3.12"),
        ("${{ matrix.python }}${{ event.branch }}", "3.12main"),
        ("a ${{ event.fork }} b", "a false b"),
        ("${{ event.number }}", "7"),
        ("<${{ event.before }}>", "<>"),
        ("${{ event.labels }}", '["a",1]'),
        ("${{ fromjson('{\"k\": null}') }}", '{"k":null}'),
        ("${{ '}}' }}!", "}}!"),
        ('${{ "\\"}}" }}', '"}}'),
        ("${{ 'a' in ['a'] }}", "true"),
        ("${{\n  event.branch\n}}", "main"),
        ("$${{ matrix.python }}", "${{ matrix.python }}"),
        ("$$${{ a }}", "$${{ a }}"),
        ("$${{ a }} ${{ event.branch }}", "${{ a }} main"),
        ("$HOME ${HOME} {{ x }} }} $", "$HOME ${HOME} {{ x }} }} $"),
    ],
)
def test_what_a_text_becomes(text: str, result: str) -> None:
    template = parse_template(text)
    assert template.evaluate(SCOPE) == result
    assert template.text == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ event.labels }}", ["a", 1]),
        (" ${{ event.labels }}\n", ["a", 1]),
        ("${{ fromjson(steps.split.outputs.shards) }}", ["x"]),
        ("${{ event.before }}", None),
        ("a${{ event.labels }}", 'a["a",1]'),
        ("${{ event.number }}${{ event.number }}", "77"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_whole_text_keeps_its_value(text: str, value: Value) -> None:
    assert parse_template(text).value(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "constant"),
    [("", True), ("a", True), ("$${{ a }}", True), ("${{ 1 }}", False), ("a ${{ env.A }}", False)],
)
def test_what_is_the_same_everywhere(text: str, constant: bool) -> None:
    assert parse_template(text).constant is constant


def test_references_and_columns_count_within_the_whole_text() -> None:
    template = parse_template("a ${{ env.A }} b ${{ default(steps.x.outputs.y, 1) }}")
    assert {(r.kind, r.step, r.name, r.defaulted, r.column) for r in template.references()} == {
        (ReferenceKind.ENV, "", "A", False, 7),
        (ReferenceKind.OUTPUT, "x", "y", True, 30),
    }
    assert [expression.text for expression in template.expressions] == [
        " env.A ",
        " default(steps.x.outputs.y, 1) ",
    ]
    assert parse_template("plain").references() == frozenset()


def test_templates_are_values() -> None:
    assert parse_template("a ${{ env.A }}") == parse_template("a ${{ env.A }}")
    assert len({parse_template("a"), parse_template("a"), parse_template("${{ 1 }}")}) == 2


@pytest.mark.parametrize(
    ("text", "column", "message", "cure"),
    [
        ("ab ${{ env.A", 4, "`${{` is not closed", "`}}`"),
        ("${{ env.A }", 1, "`${{` is not closed", "`}}`"),
        ("${{ 1 }} ${{", 10, "`${{` is not closed", "`}}`"),
        ("ab ${{ }}", 8, "the expression is empty", "write one"),
        ("ab ${{ matirx.A }}", 8, "there is no name `matirx`", "`matrix`"),
        ("ab ${{ 'x }}", 8, "no end", "close it with '"),
        ("${{ a == ${{ b }} }}", 10, "`$` means nothing", "no braces"),
    ],
)
def test_what_is_no_template(text: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template(text)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


def test_errors_of_evaluation_point_into_the_whole_text() -> None:
    with pytest.raises(MissingOutput) as caught:
        parse_template("v${{ steps.lint.outputs.x }}").evaluate(SCOPE)
    assert (caught.value.step, caught.value.output, caught.value.column) == ("lint", "x", 6)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("${{ steps.split.outputs.big }}" * 11, 304),
        ("${{ [" + "steps.split.outputs.big," * 11 + "1] }}", 4),
        ("x" * (MAX_TEXT + 1), 1),
    ],
)
def test_a_text_does_not_grow_beyond_a_limit(text: str, column: int) -> None:
    with pytest.raises(ExpressionError, match="longer than 1048576 characters") as caught:
        parse_template(text).evaluate(SCOPE)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('event.branch == "main"', True),
        ('${{ event.branch == "main" }}', True),
        ('  ${{ event.branch == "dev" }} ', False),
        ('event.branch == "${{"', False),
    ],
)
def test_a_condition_is_written_with_or_without_braces(text: str, holds: bool) -> None:
    assert parse_condition(text).holds(SCOPE) is holds


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("${{ true }} and true", 1, "text around `${{ }}`"),
        ("${{ true }} ${{ true }}", 1, "text around `${{ }}`"),
        ("$${{ true }}", 1, "text around `${{ }}`"),
        ("true and ${{ true }}", 10, "`$` means nothing"),
        (" ${{ tru }}", 6, "there is no name `tru`"),
        ("", 1, "the expression is empty"),
    ],
)
def test_what_is_no_condition(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text)
    assert caught.value.column == column
    assert message in caught.value.message


@given(st.text(alphabet=st.sampled_from("${} '\"\\a1."), max_size=40))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    column = 1
    try:
        parse_template(text).evaluate(SCOPE)
    except ExpressionError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


@given(st.text().filter(lambda text: "${{" not in text))
def test_text_without_braces_stays_as_it_is(text: str) -> None:
    template = parse_template(text)
    assert template.constant
    assert template.evaluate(Scope()) == text


@pytest.mark.parametrize("piece", ["${{ 1 }} ", "$${{ ", "} }", "${{ '}}' }}"])
def test_the_work_is_linear_in_the_text(piece: str) -> None:
    few = steps(lambda: parse_template(piece * 50))
    many = steps(lambda: parse_template(piece * 200))
    assert many < 4.2 * few


def test_what_is_never_closed_is_found_out_at_once() -> None:
    def work() -> None:
        with pytest.raises(ExpressionError):
            parse_template("${{ '" * 2000)

    assert steps(work) < 200
