"""What an expression can hold, and the rules by which two values compare, nest and become text.

The rules speak of kinds, so that lint can apply them to what it knows before anything has run.
Every error is an `ExpressionError` at the column that the caller gives.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable
from enum import StrEnum
from itertools import accumulate
from typing import Any, TypeAlias, assert_never

from pipelines.errors import ExpressionError

Value: TypeAlias = "str | bool | int | float | list[Value] | dict[str, Value] | None"
Scalar: TypeAlias = str | bool | int | float | None

MAX_JSON = 262_144
MAX_JSON_DEPTH = 32
MAX_DIGITS = 40
MAX_TEXT = 1_048_576

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)


class Kind(StrEnum):
    """The kinds of values, worded for error messages."""

    STRING = "a string"
    NUMBER = "a number"
    BOOLEAN = "a boolean"
    NULL = "null"
    LIST = "a list"
    MAPPING = "a mapping"


class Comparison(StrEnum):
    """The operators that take two values and give true or false."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    MORE = ">"
    MORE_OR_EQUAL = ">="
    IN = "in"
    NOT_IN = "not in"


_ORDERINGS: dict[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.MORE: operator.gt,
    Comparison.MORE_OR_EQUAL: operator.ge,
}

_BOOLEAN_CURES = {
    Kind.STRING: 'compare it, as in `… == "main"`',
    Kind.NUMBER: "compare it, as in `… > 0`",
    Kind.NULL: "compare it, as in `… == null`",
    Kind.LIST: "ask for its length, as in `len(…) > 0`",
    Kind.MAPPING: "ask for its length, as in `len(…) > 0`",
    Kind.BOOLEAN: "",
}


def kind_of(value: Value) -> Kind:
    """Return the kind of a value; true and false are no numbers."""
    match value:
        case bool():
            return Kind.BOOLEAN
        case str():
            return Kind.STRING
        case int() | float():
            return Kind.NUMBER
        case None:
            return Kind.NULL
        case list():
            return Kind.LIST
        case dict():
            return Kind.MAPPING
        case _:
            assert_never(value)


def boolean_needed(kind: Kind, column: int) -> ExpressionError:
    """Return the error for a value that stands where only true or false can."""
    return ExpressionError(
        f"true or false is needed here, this is {kind}", column=column, cure=_BOOLEAN_CURES[kind]
    )


def equal(left: Value, right: Value) -> bool:
    """Return whether two values are the same; values of different kinds never are."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return kind_of(left) is kind_of(right) and left == right


def comparison_mistake(
    comparison: Comparison, left: Kind, right: Kind, column: int
) -> ExpressionError | None:
    """Return why values of two kinds cannot be compared so, None if they can."""
    if comparison in _ORDERINGS:
        return _ordering_mistake(left, right, column)
    if comparison in (Comparison.IN, Comparison.NOT_IN):
        return _membership_mistake(left, right, column)
    return None


def _ordering_mistake(left: Kind, right: Kind, column: int) -> ExpressionError | None:
    if left is right and left in (Kind.NUMBER, Kind.STRING):
        return None
    cure = "two numbers or two strings have an order"
    if {left, right} == {Kind.NUMBER, Kind.STRING}:
        cure += '; `fromjson(…)` makes a number of a text such as "12"'
    return ExpressionError(f"{left} and {right} have no order", column=column, cure=cure)


def _membership_mistake(item: Kind, container: Kind, column: int) -> ExpressionError | None:
    if container not in (Kind.LIST, Kind.STRING, Kind.MAPPING):
        message, cure = f"nothing can be in {container}", "look into a list, a string or a mapping"
    elif container is not Kind.LIST and item is not Kind.STRING:
        message, cure = f"{item} cannot be in {container}", "only a string can"
    else:
        return None
    return ExpressionError(message, column=column, cure=cure)


def compare(comparison: Comparison, left: Value, right: Value, column: int) -> bool:
    """Return what a comparison of two values gives; raise if their kinds do not allow it."""
    mistake = comparison_mistake(comparison, kind_of(left), kind_of(right), column)
    if mistake:
        raise mistake
    if comparison in _ORDERINGS:
        return _ORDERINGS[comparison](left, right)
    if comparison in (Comparison.EQUAL, Comparison.NOT_EQUAL):
        return equal(left, right) is (comparison is Comparison.EQUAL)
    return _contains(right, left) is (comparison is Comparison.IN)


def _contains(container: Value, item: Value) -> bool:
    if isinstance(container, list):
        return any(equal(item, member) for member in container)
    return isinstance(container, str | dict) and isinstance(item, str) and item in container


def index_mistake(base: Kind, key: Kind, column: int) -> ExpressionError | None:
    """Return why a value of one kind cannot be asked for the part `key`, None if it can."""
    if (base, key) in ((Kind.LIST, Kind.NUMBER), (Kind.MAPPING, Kind.STRING)):
        return None
    cures = {Kind.LIST: "a list takes a number", Kind.MAPPING: "a mapping takes a string"}
    cure = cures.get(base, "only lists and mappings have parts; `fromjson(…)` makes them from text")
    return ExpressionError(f"{base} has no part named by {key}", column=column, cure=cure)


def from_json(text: str, column: int) -> Value:
    """Return the value that a JSON text (RFC 8259) holds; its size and depth are limited."""
    if len(text) > MAX_JSON:
        message = f"the JSON text is longer than {MAX_JSON} characters"
        raise ExpressionError(message, column=column, cure="hand large data on as a file")
    if _depth(text) > MAX_JSON_DEPTH:
        message = f"the JSON text is nested deeper than {MAX_JSON_DEPTH}"
        raise ExpressionError(message, column=column, cure="write it flatter")
    try:
        value: Value = json.loads(
            text, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        message = f"this is no JSON: {error}"
        cure = 'write JSON, such as `["a", "b"]` or `{"k": 1}`'
        raise ExpressionError(message, column=column, cure=cure) from None
    return value


def _depth(text: str) -> int:
    bare = _JSON_STRING.sub("", text)
    return max(accumulate(((c in "[{") - (c in "]}") for c in bare), initial=0))


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        message = f"a number has more than {MAX_DIGITS} digits"
        raise ValueError(message)
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        message = f"the number {digits[:MAX_DIGITS]} is too large"
        raise ValueError(message)
    return number


def _constant(word: str) -> float:
    message = f"{word} is no JSON number"
    raise ValueError(message)


def render(value: Value, column: int) -> str:
    """Return a value as text: strings as they are, null as nothing, lists and mappings as JSON.

    The text is at most `MAX_TEXT` characters; the work stops where it passes them.
    """
    if isinstance(value, str):
        chunks = iter((value,))
    elif value is None:
        chunks = iter(())
    else:
        encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
        chunks = iter(encoder.iterencode(value))
    written, size = [], 0
    for chunk in chunks:
        written.append(chunk)
        size += len(chunk)
        if size > MAX_TEXT:
            message = f"the text would be longer than {MAX_TEXT} characters"
            raise ExpressionError(message, column=column, cure="hand large data on as a file")
    return "".join(written)
