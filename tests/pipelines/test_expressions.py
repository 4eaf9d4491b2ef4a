"""Expressions in a scope: what they give, what they look at, what is missing."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.expressions import (
    MissingOutput,
    MissingValue,
    Names,
    Reference,
    ReferenceKind,
    Scope,
    StepView,
    Value,
    check,
    parse,
)
from pipelines.syntax import MAX_NESTING
from tests.pipelines.counting import steps

SCOPE = Scope(
    event={
        "branch": "release/1.2",
        "number": 7,
        "before": None,
        "fork": False,
        "labels": ["bug", "docs"],
    },
    env={"MODE": "fast"},
    matrix={"python-version": "3.12"},
    inputs={"dry": True},
    steps={
        "build": StepView("success", {"image": "app:1", "shards": '["a","b"]', "size": 3}),
        "unit-test": StepView("failure", {"passed": "9"}),
        "lint": StepView("skipped", None, skipped=True),
        "deploy": StepView("blocked"),
    },
    success=False,
    failure=True,
    changed=("src/a.py",),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("'a'", "a"),
        ("null", None),
        ("[1, 'a', [true]]", [1, "a", [True]]),
        ("event.branch", "release/1.2"),
        ("env.MODE", "fast"),
        ("matrix.python-version", "3.12"),
        ('matrix["python-version"]', "3.12"),
        ("inputs.dry", True),
        ("steps.unit-test.status", "failure"),
        ('steps["build"].outputs.image', "app:1"),
        ("steps.build.outputs.size", 3),
        ("event.labels[1]", "docs"),
        ("event.labels[-1]", "docs"),
        ('fromjson(\'{"a": {"b": [1, 2]}}\').a.b[1]', 2),
        ("fromjson(steps.build.outputs.shards)", ["a", "b"]),
        ("len(event.labels)", 2),
        ('event.branch == "main"', False),
        ('event.branch != "main"', True),
        ("event.number == 7.0", True),
        ('event.number == "7"', False),
        ("event.number > 6 and event.number <= 7", True),
        ('"bug" in event.labels', True),
        ('"bug" not in event.labels', False),
        ("event.before == null", True),
        ('"a" < "b"', True),
        ("not event.fork", True),
        ("not (true and false)", True),
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("true and true and true", True),
        ("false or false or false", False),
        ("success()", False),
        ("failure()", True),
        ("always()", True),
        ('changed("src/**")', True),
        ('changed("docs/**")', False),
        ('matches(event.branch, "release/*")', True),
        ('steps.build.status == "success" and steps.unit-test.status == "failure"', True),
        ("default(env.MODE, 'slow')", "fast"),
        ("default(env.NONE, 'slow')", "slow"),
        ("default(event.tag, '')", ""),
        ("default(event.before, 'new')", "new"),
        ("default(false, true)", False),
        ("default('', 'x')", ""),
        ("default(steps.lint.outputs.report, 'none')", "none"),
        ("default(steps.build.outputs.missing, 1)", 1),
        ("default(fromjson(steps.lint.outputs.report).x, 2)", 2),
        ("default(event.labels[5], 'few')", "few"),
        ("default(fromjson('{}').a, 3)", 3),
        ("default(env.A, default(env.B, 4))", 4),
        ("default(env.MODE, env.NONE)", "fast"),
        # `and` and `or` stop as soon as they know.
        ("false and env.NONE == ''", False),
        ("true or 1", True),
        ("false and 1 and true", False),
    ],
)
def test_what_an_expression_gives(text: str, value: Value) -> None:
    given = parse(text).evaluate(SCOPE)
    assert given == value
    assert type(given) is type(value)


@pytest.mark.parametrize(
    ("text", "column", "message", "cure"),
    [
        ("event.branch and true", 1, "true or false is needed here, this is a string", '== "main"'),
        ("true and event.number", 10, "this is a number", "… > 0"),
        ("not event.labels", 5, "this is a list", "len(…) > 0"),
        ("false or null", 10, "this is null", "== null"),
        ("event.number < '8'", 14, "a number and a string have no order", "fromjson"),
        ("event.before > 1", 14, "null and a number have no order", "two numbers"),
        ("1 in event.number", 3, "nothing can be in a number", "a list"),
        ("event.branch[0]", 14, "a string has no part named by a number", "fromjson"),
        ("event.labels['a']", 14, "a list has no part named by a string", "a number"),
        ("event.labels[true]", 14, "a list has no part named by a boolean", "a number"),
        ("event.labels[0.5]", 14, "0.5 is no place in a list", "integers"),
        ("fromjson('{}')[1]", 16, "a mapping has no part named by a number", "a string"),
        ("len(event.number)", 5, "not a number", "give it a list"),
        ("run.status == 'success'", 1, "only when all else has ended", "`finally:`"),
        ("steps.biuld.status", 1, "`biuld` is not among the needs of this step", "`build`?"),
        ("steps.zzz.outputs.x", 1, "`zzz` is not among the needs of this step", "add `zzz`"),
        ("default(steps.zzz.outputs.x, 1)", 9, "`zzz` is not among the needs", "add `zzz`"),
        ("default(event.branch > 1, true)", 22, "have no order", "two numbers"),
    ],
)
def test_what_cannot_be_evaluated(text: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate(SCOPE)
    assert not isinstance(caught.value, MissingValue)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


@pytest.mark.parametrize(
    ("text", "column", "message", "cure"),
    [
        ("env.MOED", 1, "`env.MOED` has no value here", "did you mean `MODE`?"),
        ("event.zzz", 1, "`event.zzz` has no value here", 'default(event.zzz, "…")'),
        ("inputs.x", 1, "`inputs.x` has no value here", "default("),
        ("matrix.os", 1, "`matrix.os` has no value here", "default("),
        ("event.labels[2]", 14, "the list has no item 2", "it has 2, the first is 0"),
        ("event.labels[-3]", 14, "the list has no item -3", "it has 2"),
        ("fromjson('{\"key\": 1}').kee", 24, "the mapping has no `kee`", "did you mean `key`?"),
        ("fromjson('{}').k", 16, "the mapping has no `k`", "default("),
        ("default(env.A, env.B)", 16, "`env.B` has no value here", "default("),
    ],
)
def test_what_is_missing(text: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(MissingValue) as caught:
        parse(text).evaluate(SCOPE)
    assert (caught.value.column, caught.value.message) == (column, message)
    assert cure in caught.value.cure
    assert caught.value.code == "missing-value"


@pytest.mark.parametrize(
    ("text", "step", "output", "skipped", "message"),
    [
        ("steps.lint.outputs.a", "lint", "a", True, "was skipped and has no output `a`"),
        ("steps.build.outputs.a", "build", "a", False, "did not write its output `a`"),
        ("steps.deploy.outputs.a", "deploy", "a", False, "did not write its output `a`"),
    ],
)
def test_a_missing_output_says_whose(
    text: str, step: str, output: str, skipped: bool, message: str
) -> None:
    with pytest.raises(MissingOutput) as caught:
        parse(f"1 == {text}").evaluate(SCOPE)
    error = caught.value
    assert (error.step, error.output, error.skipped, error.column) == (step, output, skipped, 6)
    assert error.message == f"step `{step}` {message}"
    assert f"default({text}" in error.cure
    assert error.code == "missing-output"


def test_a_skipped_step_has_no_outputs_even_if_it_has_written_some() -> None:
    scope = Scope(steps={"a": StepView("skipped", {"x": "1"}, skipped=True)})
    with pytest.raises(MissingOutput):
        parse("steps.a.outputs.x").evaluate(scope)


def test_the_status_of_the_run_is_known_in_finally() -> None:
    assert parse("run.status").evaluate(Scope(run_status="failure")) == "failure"


def test_changed_holds_where_the_changes_are_not_known() -> None:
    assert parse('changed("x")').evaluate(Scope(changed=None)) is True
    assert parse('changed("x")').evaluate(Scope(changed=())) is False


def test_a_condition_is_true_or_false_and_nothing_else() -> None:
    assert parse("failure()").holds(SCOPE) is True
    assert parse("success()").holds(SCOPE) is False
    with pytest.raises(ExpressionError, match="true or false is needed here") as caught:
        parse(" event.branch").holds(SCOPE)
    assert caught.value.column == 2
    assert "compare it" in caught.value.cure


def reference(
    kind: str, step: str, name: str, column: int, *, defaulted: bool = False
) -> Reference:
    return Reference(ReferenceKind(kind), step, name, defaulted, column)


@pytest.mark.parametrize(
    ("text", "references", "looks_at_status"),
    [
        ("true", set(), False),
        ("event.a == env.b", {("event", "", "a", 1), ("env", "", "b", 12)}, False),
        ("matrix.a in [inputs.b]", {("matrix", "", "a", 1), ("inputs", "", "b", 14)}, False),
        ("event.a[matrix.b].c", {("event", "", "a", 1), ("matrix", "", "b", 9)}, False),
        ("env.a == env.a", {("env", "", "a", 1), ("env", "", "a", 10)}, False),
        ("steps.a.outputs.x == 1", {("output", "a", "x", 1)}, False),
        ("not (steps.a.status == 'x')", {("status", "a", "", 6)}, True),
        ("run.status == 'failure'", {("run", "", "status", 1)}, True),
        ("success()", set(), True),
        ("true and failure()", set(), True),
        ("not always()", set(), True),
        ('changed("a")', set(), False),
    ],
)
def test_what_an_expression_looks_at(
    text: str, references: set[tuple[str, str, str, int]], looks_at_status: bool
) -> None:
    expression = parse(text)
    assert expression.references() == {reference(*looked) for looked in references}
    assert expression.looks_at_status is looks_at_status


def test_what_is_looked_at_with_a_default_is_marked() -> None:
    expression = parse("default(len(steps.a.outputs.x), env.b) == steps.a.outputs.x")
    assert expression.references() == {
        reference("output", "a", "x", 13, defaulted=True),
        reference("env", "", "b", 33),
        reference("output", "a", "x", 43),
    }


def test_what_an_expression_calls() -> None:
    assert parse("default(len('a'), 1) == 1 and changed('x')").calls == {"len", "changed"}


def test_expressions_are_values() -> None:
    assert parse("env.A") == parse("env.A")
    assert parse("env.A") != parse("env.A", 2)
    assert len({parse("env.A"), parse("env.A"), parse("env.B")}) == 2
    assert parse(" env.A ").text == " env.A "
    assert repr(parse("1")) == "Expression(text='1', column=1)"


def test_columns_can_count_from_elsewhere() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("true and 1", 101).evaluate(SCOPE)
    assert caught.value.column == 110


def test_a_check_tells_all_in_the_order_of_the_text() -> None:
    errors = check(parse("env.B == 1 or event.barnch or 2"), Names(env=["A"]), condition=True)
    assert [(error.column, error.message) for error in errors] == [
        (1, "there is no `env.B`"),
        (15, "there is no `event.barnch`"),
        (31, "true or false is needed here, this is a number"),
    ]


LEAVES = st.sampled_from(
    [
        *("true", "false", "null", "1", "0", "-2.5", "''", "'a'", "'[1]'", "'{'", "[]", "[1, 'a']"),
        *("event.branch", "event.number", "event.labels", "event.nothing", "env.MODE", "env.X"),
        *("steps.build.status", "steps.build.outputs.shards", "steps.lint.outputs.x"),
        *("steps.other.status", "run.status", "success()", "inputs.dry"),
    ]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"])
    functions = st.sampled_from(["contains", "startswith", "endswith", "matches", "default"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("{}({}, {})".format, functions, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["len", "fromjson", "changed"]), inner),
        st.builds("(not {})".format, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
    )


@given(st.recursive(LEAVES, _grown, max_leaves=10))
def test_every_expression_gives_a_value_or_an_error_at_a_place_in_it(text: str) -> None:
    expression = parse(text)
    value: Value = None
    column = 1
    try:
        value = expression.evaluate(SCOPE)
    except ExpressionError as error:
        column = error.column
    assert isinstance(value, str | bool | int | float | list | dict | None)
    assert 1 <= column <= len(text)


@given(st.recursive(LEAVES, _grown, max_leaves=10))
def test_what_the_check_lets_pass_names_nothing_unknown(text: str) -> None:
    names = Names(
        event=list(SCOPE.event),
        env=list(SCOPE.env),
        inputs=["dry"],
        steps={"build": ["shards"]},
        in_finally=True,
    )
    scope = Scope(
        event=SCOPE.event,
        env=SCOPE.env,
        inputs=SCOPE.inputs,
        steps={"build": SCOPE.steps["build"]},
        run_status="success",
    )
    expression = parse(text)
    if check(expression, names):
        return
    message = ""
    try:
        expression.evaluate(scope)
    except ExpressionError as error:
        message = error.message
    assert "has no value" not in message
    assert "needs" not in message


def test_the_deepest_expression_leaves_half_of_the_stack() -> None:
    text = "env.A"
    for _ in range(MAX_NESTING):
        text = f"[false or true and true == {text}][0]"
    expression = parse(text)
    depth = 0

    class Watched(dict[str, Value]):
        def __getitem__(self, key: str) -> Value:
            nonlocal depth
            depth = len(inspect.stack(0))
            return super().__getitem__(key)

    assert expression.evaluate(Scope(env=Watched(A=True))) is True
    assert 100 < depth - len(inspect.stack(0)) < 500
    with pytest.raises(ExpressionError, match="nested deeper"):
        parse(f"[{text}]")


@pytest.mark.parametrize(
    "piece",
    ["true and ", "'a' in ['b', 'a'] and ", "matches('aaaa', '*a*b') or ", "len([1, 2]) == 2 and "],
)
def test_the_work_is_linear_in_the_text(piece: str) -> None:
    small, large = parse(piece * 20 + "true"), parse(piece * 80 + "true")
    few, many = steps(lambda: small.evaluate(SCOPE)), steps(lambda: large.evaluate(SCOPE))
    assert many < 4.2 * few


def test_references_of_the_longest_expression_are_found_in_linear_time() -> None:
    small, large = parse("env.A or " * 50 + "true"), parse("env.A or " * 400 + "true")
    assert steps(large.references) < 8.2 * steps(small.references)
