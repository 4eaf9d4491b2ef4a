"""The functions that an expression may call: what each takes, what it gives, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pipelines.errors import ExpressionError
from pipelines.globs import Glob, parse_glob
from pipelines.patterns import Patterns
from pipelines.values import Comparison, Kind, Value, compare, from_json, kind_of

MAX_MATCHED = 4096


class Facts(Protocol):
    """How the run stands for the step that asks."""

    @property
    def success(self) -> bool:
        """Whether all that the step needs went well."""

    @property
    def failure(self) -> bool:
        """Whether something that the step needs failed."""

    @property
    def changed(self) -> tuple[str, ...] | None:
        """The paths that the event changed, None if that is not known."""


@dataclass(frozen=True)
class Parameter:
    """What a function takes at one place; no kinds means any."""

    name: str
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class Argument:
    """A value given to a function and the column where it stands."""

    value: Value
    column: int


@dataclass(frozen=True)
class Signature:
    """How a function is called; `repeats` lets its last parameter come more than once."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    gives: Kind | None = Kind.BOOLEAN
    repeats: bool = False
    asks_status: bool = False

    @property
    def usage(self) -> str:
        """The function as one would write it."""
        names = ", ".join(parameter.name for parameter in self.parameters)
        return f"{self.name}({names}{', …' if self.repeats else ''})"

    def arity_mistake(self, count: int, column: int) -> ExpressionError | None:
        """Return why the function cannot take so many arguments, None if it can."""
        expected = len(self.parameters)
        if count == expected or (self.repeats and count > expected):
            return None
        few = f"{expected or 'no'} argument{'' if expected == 1 else 's'}"
        message = f"`{self.name}` takes {few}{' or more' if self.repeats else ''}, not {count}"
        return ExpressionError(message, column=column, cure=f"write `{self.usage}`")

    def argument_mistake(self, place: int, kind: Kind, column: int) -> ExpressionError | None:
        """Return why an argument of this kind cannot stand at a place, None if it can."""
        parameter = self.parameters[min(place, len(self.parameters) - 1)]
        if not parameter.kinds or kind in parameter.kinds:
            return None
        wanted = " or ".join(parameter.kinds)
        message = f"`{parameter.name}` in `{self.usage}` is {wanted}, not {kind}"
        return ExpressionError(message, column=column, cure=f"give it {wanted}")


_TEXT = (Kind.STRING,)
_SIZED = (Kind.LIST, Kind.STRING, Kind.MAPPING)

SIGNATURES: Mapping[str, Signature] = {
    signature.name: signature
    for signature in (
        Signature("success", asks_status=True),
        Signature("failure", asks_status=True),
        Signature("always", asks_status=True),
        Signature("changed", (Parameter("glob", _TEXT),), repeats=True),
        Signature("contains", (Parameter("container", _SIZED), Parameter("item"))),
        Signature("startswith", (Parameter("text", _TEXT), Parameter("start", _TEXT))),
        Signature("endswith", (Parameter("text", _TEXT), Parameter("end", _TEXT))),
        Signature("matches", (Parameter("text", _TEXT), Parameter("glob", _TEXT))),
        Signature("fromjson", (Parameter("text", _TEXT),), gives=None),
        Signature("len", (Parameter("value", _SIZED),), gives=Kind.NUMBER),
        Signature("default", (Parameter("value"), Parameter("fallback")), gives=None),
    )
}


def call(name: str, facts: Facts, arguments: Sequence[Argument]) -> Value:
    """Return what a function (any but `default`, which is syntax) gives for its arguments.

    Their number must be right already; raises `ExpressionError` where one is of a wrong kind.
    """
    for place, argument in enumerate(arguments):
        kind = kind_of(argument.value)
        mistake = SIGNATURES[name].argument_mistake(place, kind, argument.column)
        if mistake:
            raise mistake
    return _FUNCTIONS[name](facts, arguments)


def read_glob(text: str, column: int) -> Glob:
    """Return the glob in a string that stands at `column`; errors point at that string."""
    try:
        return parse_glob(text)
    except ExpressionError as error:
        raise _at(column, error) from None


def read_patterns(globs: Sequence[str], column: int) -> Patterns:
    """Return the patterns in strings, the first of which stands at `column`."""
    try:
        return Patterns.of(globs)
    except ExpressionError as error:
        raise _at(column, error) from None


def _at(column: int, error: ExpressionError) -> ExpressionError:
    return ExpressionError(error.message, column=column, cure=error.cure)


def _text(argument: Argument) -> str:
    return str(argument.value)


def _changed(facts: Facts, arguments: Sequence[Argument]) -> bool:
    patterns = read_patterns([_text(argument) for argument in arguments], arguments[0].column)
    return facts.changed is None or patterns.matches_any_path(facts.changed)


def _contains(_facts: Facts, arguments: Sequence[Argument]) -> bool:
    container, item = arguments
    return compare(Comparison.IN, item.value, container.value, item.column)


def _startswith(_facts: Facts, arguments: Sequence[Argument]) -> bool:
    return _text(arguments[0]).startswith(_text(arguments[1]))


def _endswith(_facts: Facts, arguments: Sequence[Argument]) -> bool:
    return _text(arguments[0]).endswith(_text(arguments[1]))


def _matches(_facts: Facts, arguments: Sequence[Argument]) -> bool:
    text, glob = arguments
    if len(_text(text)) > MAX_MATCHED:
        message = f"`matches` looks at no more than {MAX_MATCHED} characters"
        cure = "match a shorter text, such as a branch or a path"
        raise ExpressionError(message, column=text.column, cure=cure)
    return read_glob(_text(glob), glob.column).matches(_text(text))


def _fromjson(_facts: Facts, arguments: Sequence[Argument]) -> Value:
    return from_json(_text(arguments[0]), arguments[0].column)


def _len(_facts: Facts, arguments: Sequence[Argument]) -> int:
    value = arguments[0].value
    return len(value) if isinstance(value, str | list | dict) else 0


_Call: TypeAlias = Callable[[Facts, Sequence[Argument]], Value]
_FUNCTIONS: Mapping[str, _Call] = {
    "success": lambda facts, _: facts.success,
    "failure": lambda facts, _: facts.failure,
    "always": lambda _facts, _: True,
    "changed": _changed,
    "contains": _contains,
    "startswith": _startswith,
    "endswith": _endswith,
    "matches": _matches,
    "fromjson": _fromjson,
    "len": _len,
}
