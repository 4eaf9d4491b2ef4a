"""The functions of expressions: what they give, and what they do not take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipelines.errors import ExpressionError
from pipelines.functions import MAX_MATCHED, SIGNATURES, Argument, call
from pipelines.values import Kind, Value


@dataclass(frozen=True)
class Situation:
    """How a run stands, as a test wants it."""

    success: bool = True
    failure: bool = False
    changed: tuple[str, ...] | None = None


def called(name: str, *values: Value, facts: Situation | None = None) -> Value:
    """Call a function whose arguments stand at the columns 10, 20, …"""
    arguments = [Argument(value, 10 * (place + 1)) for place, value in enumerate(values)]
    return call(name, facts or Situation(), arguments)


@pytest.mark.parametrize(
    ("success", "failure"), [(True, False), (False, True), (False, False), (True, True)]
)
def test_success_failure_and_always(success: bool, failure: bool) -> None:
    facts = Situation(success=success, failure=failure)
    assert called("success", facts=facts) is success
    assert called("failure", facts=facts) is failure
    assert called("always", facts=facts) is True


@pytest.mark.parametrize(
    ("paths", "globs", "changed"),
    [
        (None, ["src/**"], True),
        ((), ["src/**"], False),
        (("src/a.py",), ["src/**"], True),
        (("docs/a.md",), ["src/**"], False),
        (("docs/a.md", "x"), ["src/**", "docs/*"], True),
        (("docs/a.md",), ["**", "!docs/**"], False),
        (("docs/a.md",), ["!docs/**"], False),
        (("src/a.py",), ["!docs/**"], True),
    ],
)
def test_changed(paths: tuple[str, ...] | None, globs: list[str], changed: bool) -> None:
    assert called("changed", *globs, facts=Situation(changed=paths)) is changed


@pytest.mark.parametrize(
    ("name", "values", "result"),
    [
        ("contains", (["a", "b"], "a"), True),
        ("contains", ([1], True), False),
        ("contains", ("release/1", "release"), True),
        ("contains", ("main", "x"), False),
        ("contains", ({"k": 1}, "k"), True),
        ("startswith", ("release/1", "release/"), True),
        ("startswith", ("main", "x"), False),
        ("endswith", ("a.py", ".py"), True),
        ("endswith", ("a.py", ".md"), False),
        ("matches", ("release/1", "release/*"), True),
        ("matches", ("release/1/2", "release/*"), False),
        ("matches", ("/usr/bin", "/usr/**"), True),
        ("matches", ("x" * MAX_MATCHED, "x*"), True),
        ("fromjson", ('["a", 1]',), ["a", 1]),
        ("len", ("four",), 4),
        ("len", ([1, 2],), 2),
        ("len", ({"k": 1},), 1),
    ],
)
def test_what_a_function_gives(name: str, values: tuple[Value, ...], result: Value) -> None:
    given = called(name, *values)
    assert given == result
    assert type(given) is type(result)


@pytest.mark.parametrize(
    ("name", "values", "column", "message", "cure"),
    [
        ("changed", (1,), 10, "`glob` in `changed(glob, …)` is a string, not a number", "a string"),
        ("changed", ("a", True), 20, "is a string, not a boolean", "give it a string"),
        ("changed", ("a", "["), 10, "`[` stands alone in the glob `[`", "a set is"),
        ("changed", ("src/",), 10, "`src/` matches nothing", "`src/**`"),
        ("contains", (1, 2), 10, "is a list or a string or a mapping, not a number", "give it"),
        ("contains", ("1", 1), 20, "a number cannot be in a string", "only a string"),
        ("startswith", (None, "a"), 10, "is a string, not null", "a string"),
        ("endswith", ("a", []), 20, "`end` in `endswith(text, end)` is a string", "a string"),
        ("matches", ("a", "!b"), 20, "does not begin with `!`", "`not`"),
        ("matches", ("a", 5), 20, "is a string, not a number", "a string"),
        ("matches", ("x" * (MAX_MATCHED + 1), "*"), 10, "no more than 4096", "shorter"),
        ("fromjson", ("{",), 10, "no JSON", "write JSON"),
        ("fromjson", ({},), 10, "is a string, not a mapping", "a string"),
        ("len", (5,), 10, "is a list or a string or a mapping, not a number", "give it"),
    ],
)
def test_what_a_function_does_not_take(
    name: str, values: tuple[Value, ...], column: int, message: str, cure: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        called(name, *values)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


def test_globs_are_read_even_if_the_changes_are_not_known() -> None:
    with pytest.raises(ExpressionError):
        called("changed", "[", facts=Situation(changed=None))


@pytest.mark.parametrize(
    ("name", "counts", "usage"),
    [
        ("success", {0}, "success()"),
        ("failure", {0}, "failure()"),
        ("always", {0}, "always()"),
        ("changed", {1, 2, 3, 4}, "changed(glob, …)"),
        ("contains", {2}, "contains(container, item)"),
        ("startswith", {2}, "startswith(text, start)"),
        ("endswith", {2}, "endswith(text, end)"),
        ("matches", {2}, "matches(text, glob)"),
        ("fromjson", {1}, "fromjson(text)"),
        ("len", {1}, "len(value)"),
        ("default", {2}, "default(value, fallback)"),
    ],
)
def test_how_a_function_is_called(name: str, counts: set[int], usage: str) -> None:
    signature = SIGNATURES[name]
    assert {count for count in range(5) if not signature.arity_mistake(count, 1)} == counts
    assert signature.usage == usage


def test_the_table_above_names_every_function() -> None:
    assert len(SIGNATURES) == 11


def test_only_three_functions_ask_how_it_went() -> None:
    asking = {name for name, signature in SIGNATURES.items() if signature.asks_status}
    assert asking == {"success", "failure", "always"}


SAMPLES: dict[Kind, list[Value]] = {
    Kind.STRING: ["", "x", "1", "[]", "a/b*"],
    Kind.NUMBER: [0, -1.5],
    Kind.BOOLEAN: [True],
    Kind.NULL: [None],
    Kind.LIST: [[], ["x"]],
    Kind.MAPPING: [{}, {"x": 1}],
}


@pytest.mark.parametrize("name", sorted(set(SIGNATURES) - {"default"}))
def test_a_call_gives_what_the_signature_says_or_an_error(name: str) -> None:
    signature = SIGNATURES[name]
    every = [value for values in SAMPLES.values() for value in values]
    rows: list[tuple[Value, ...]] = [()]
    for _ in signature.parameters:
        rows = [(*row, value) for row in rows for value in every]
    results = []
    for row in rows:
        try:
            results.append(called(name, *row))
        except ExpressionError:
            continue
    assert results
    for result in results:
        assert (
            signature.gives is None
            or result in SAMPLES[signature.gives]
            or (isinstance(result, bool if signature.gives is Kind.BOOLEAN else int))
        )
