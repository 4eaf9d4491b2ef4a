"""Values: their kinds, how they compare, what JSON they come from and what text they become."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.values import (
    MAX_JSON,
    MAX_TEXT,
    Comparison,
    Kind,
    Value,
    boolean_needed,
    compare,
    equal,
    from_json,
    index_mistake,
    kind_of,
    render,
)
from tests.pipelines.counting import steps

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", Kind.STRING),
        (0, Kind.NUMBER),
        (0.0, Kind.NUMBER),
        (True, Kind.BOOLEAN),
        (None, Kind.NULL),
        ([], Kind.LIST),
        ({}, Kind.MAPPING),
    ],
)
def test_kinds(value: Value, kind: Kind) -> None:
    assert kind_of(value) is kind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_but_one_has_a_cure_where_a_boolean_is_needed(kind: Kind) -> None:
    error = boolean_needed(kind, 3)
    assert error.column == 3
    assert kind in error.message
    assert bool(error.cure) is (kind is not Kind.BOOLEAN)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (1, 1, True),
        (1, 1.0, True),
        (1, "1", False),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("", None, False),
        (None, None, True),
        (None, False, False),
        ([], [], True),
        ([1, 2], [1, 2.0], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ([1], [True], False),
        ([], {}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_equality(left: Value, right: Value, same: bool) -> None:
    assert equal(left, right) is same
    assert equal(right, left) is same
    assert compare(Comparison.EQUAL, left, right, 1) is same
    assert compare(Comparison.NOT_EQUAL, left, right, 1) is not same


@pytest.mark.parametrize(
    ("left", "comparison", "right", "holds"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (2.5, ">", 2, True),
        (2, ">=", 3, False),
        ("a", "<", "b", True),
        ("B", ">", "a", False),
        ("", "<=", "", True),
        ("a", "in", ["a", "b"], True),
        (1, "in", [True], False),
        (None, "in", [None], True),
        ([1], "in", [[1]], True),
        ("c", "not in", ["a", "b"], True),
        ("ai", "in", "main", True),
        ("", "in", "main", True),
        ("x", "not in", "main", True),
        ("k", "in", {"k": None}, True),
        ("v", "in", {"k": "v"}, False),
    ],
)
def test_order_and_membership(left: Value, comparison: str, right: Value, holds: bool) -> None:
    assert compare(Comparison(comparison), left, right, 1) is holds


@pytest.mark.parametrize(
    ("left", "comparison", "right", "message", "cure"),
    [
        (1, "<", "2", "a number and a string have no order", "fromjson"),
        (True, "<", False, "a boolean and a boolean have no order", "two numbers"),
        ([], ">=", [], "a list and a list have no order", "two numbers"),
        (None, "<", 1, "null and a number have no order", "two numbers"),
        ("a", "in", 1, "nothing can be in a number", "a list"),
        ("a", "in", None, "nothing can be in null", "a list"),
        (1, "in", "1", "a number cannot be in a string", "only a string"),
        (1, "not in", {"1": 1}, "a number cannot be in a mapping", "only a string"),
    ],
)
def test_what_does_not_compare(
    left: Value, comparison: str, right: Value, message: str, cure: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        compare(Comparison(comparison), left, right, 7)
    assert (caught.value.column, caught.value.message) == (7, message)
    assert cure in caught.value.cure


@pytest.mark.parametrize(
    ("base", "key", "cure"),
    [
        (Kind.LIST, Kind.NUMBER, None),
        (Kind.MAPPING, Kind.STRING, None),
        (Kind.LIST, Kind.STRING, "takes a number"),
        (Kind.MAPPING, Kind.NUMBER, "takes a string"),
        (Kind.STRING, Kind.NUMBER, "fromjson"),
        (Kind.NULL, Kind.STRING, "fromjson"),
    ],
)
def test_what_has_parts(base: Kind, key: Kind, cure: str | None) -> None:
    mistake = index_mistake(base, key, 4)
    if cure is None:
        assert mistake is None
    else:
        assert mistake is not None
        assert mistake.column == 4
        assert cure in mistake.cure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (" 1.5 ", 1.5),
        ('"x"', "x"),
        ("null", None),
        ('["a", {"b": [true]}]', ["a", {"b": [True]}]),
        ('"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 37),
        (r'"\"[' + "[" * 40 + '"', '"[' + "[" * 40),
        ("[" * 32 + "]" * 32, json.loads("[" * 32 + "]" * 32)),
        ("9" * 40, int("9" * 40)),
    ],
)
def test_json_is_read(text: str, value: Value) -> None:
    assert from_json(text, 1) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("a", "no JSON"),
        ("[1,]", "no JSON"),
        ("NaN", "NaN is no JSON number"),
        ("-Infinity", "-Infinity is no JSON number"),
        ("1e999", "the number 1e999 is too large"),
        ("9" * 41, "more than 40 digits"),
        (r'"\ud800"', "surrogates not allowed"),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ('{"a":' * 33, "nested deeper than 32"),
        ("[" * 100_000, "nested deeper than 32"),
        (" " * (MAX_JSON + 1), f"longer than {MAX_JSON}"),
    ],
)
def test_json_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        from_json(text, 5)
    assert caught.value.column == 5
    assert caught.value.cure


def test_hostile_json_takes_no_more_steps_than_it_has_characters() -> None:
    def work() -> None:
        with pytest.raises(ExpressionError):
            from_json('\\"' * 50_000, 1)

    assert steps(work) < 210_000


@given(st.text(alphabet=st.sampled_from('[]{}",:0 1\\ena'), max_size=60))
def test_any_text_is_json_or_an_error(text: str) -> None:
    try:
        value = from_json(text, 1)
    except ExpressionError:
        return
    assert equal(value, json.loads(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (12, "12"),
        (-0.5, "-0.5"),
        (3.0, "3.0"),
        ([], "[]"),
        (["a", 1, None, True], '["a",1,null,true]'),
        ({"k": ["ü"]}, '{"k":["ü"]}'),
    ],
)
def test_values_become_text(value: Value, text: str) -> None:
    assert render(value, 1) == text


@given(VALUES)
def test_what_is_rendered_can_be_read_again(value: Value) -> None:
    if not isinstance(value, str) and value is not None:
        assert equal(from_json(render(value, 1), 1), value)


def test_rendering_stops_where_the_text_grows_too_long() -> None:
    big: Value = "x" * 100_000
    many: list[Value] = [big] * 1000
    assert len(render("x" * MAX_TEXT, 1)) == MAX_TEXT
    with pytest.raises(ExpressionError, match="longer than") as caught:
        render(many, 9)
    assert caught.value.column == 9

    def work() -> None:
        with pytest.raises(ExpressionError):
            render(many, 1)

    assert steps(work) < 300
