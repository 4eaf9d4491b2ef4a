"""The one small language of `when:` and `${{ }}`: total, typed, without loops, never `eval`.

ExpressionError
└── MissingValue      a name has no value here and no `default` stands by
    └── MissingOutput the step was skipped or did not write the output
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from pipelines.errors import ExpressionError
from pipelines.functions import SIGNATURES, Argument, call
from pipelines.names import Names, mistakes
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
from pipelines.suggestions import did_you_mean
from pipelines.syntax import parse_tree
from pipelines.values import Kind, Value, boolean_needed, compare, index_mistake, kind_of

__all__ = [
    "Expression",
    "ExpressionError",
    "Kind",
    "MissingOutput",
    "MissingValue",
    "Names",
    "Reference",
    "ReferenceKind",
    "Scope",
    "StepView",
    "Value",
    "check",
    "parse",
]


class MissingValue(ExpressionError):
    """A name has no value here; `default(value, fallback)` would stand by."""

    code = "missing-value"


class MissingOutput(MissingValue):
    """An output is looked at that its step did not write, perhaps because it was skipped."""

    code = "missing-output"

    def __init__(self, step: str, output: str, *, skipped: bool, column: int) -> None:
        self.step = step
        self.output = output
        self.skipped = skipped
        why = "was skipped and has no" if skipped else "did not write its"
        cure = f'say what holds then: `default(steps.{step}.outputs.{output}, "…")`'
        super().__init__(f"step `{step}` {why} output `{output}`", column=column, cure=cure)


@dataclass(frozen=True)
class StepView:
    """What an expression sees of a step: how it stands and what it has written, None if nothing."""

    status: str
    outputs: Mapping[str, Value] | None = None
    skipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an expression may look at; `steps` are those that its own step needs.

    `changed` is None where the changed paths are not known, `run_status` outside of `finally:`.
    """

    event: Mapping[str, Value] = field(default_factory=dict)
    env: Mapping[str, Value] = field(default_factory=dict)
    matrix: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, Value] = field(default_factory=dict)
    steps: Mapping[str, StepView] = field(default_factory=dict)
    success: bool = True
    failure: bool = False
    changed: tuple[str, ...] | None = None
    run_status: str | None = None


class ReferenceKind(StrEnum):
    """What is looked at; the first group reads `KIND.NAME`."""

    EVENT = "event"
    ENV = "env"
    MATRIX = "matrix"
    INPUTS = "inputs"
    RUN = "run"

    STATUS = "status"
    OUTPUT = "output"


@dataclass(frozen=True)
class Reference:
    """One look at something outside of the expression.

    `step` is empty but for STATUS and OUTPUT, `name` but for STATUS. `defaulted` says that a
    `default` stands by if there is no value.
    """

    kind: ReferenceKind
    step: str
    name: str
    defaulted: bool
    column: int


@dataclass(frozen=True)
class Expression:
    """An expression that was read; two are equal if they are written alike at the same column."""

    text: str
    column: int
    root: Node = field(compare=False, repr=False)

    def evaluate(self, scope: Scope) -> Value:
        """Return the value in a scope; raise `ExpressionError` or its subclass `MissingValue`."""
        return _value(self.root, scope)

    def holds(self, scope: Scope) -> bool:
        """Return whether a condition is true in a scope; no other value will do."""
        return _boolean(self.root, scope)

    def references(self) -> frozenset[Reference]:
        """Return all that the expression may look at."""
        looks = (_reference(node, defaulted) for node, defaulted in walk(self.root))
        return frozenset(look for look in looks if look)

    @property
    def calls(self) -> frozenset[str]:
        """The names of the functions that the expression calls, `default` left out."""
        return frozenset(node.function for node, _ in walk(self.root) if isinstance(node, Call))

    @property
    def looks_at_status(self) -> bool:
        """Whether the expression asks how a step or the run went: then a failure is its matter."""
        looked = {ReferenceKind.STATUS, ReferenceKind.RUN}
        return any(SIGNATURES[name].asks_status for name in self.calls) or any(
            reference.kind in looked for reference in self.references()
        )


def parse(text: str, first_column: int = 1) -> Expression:
    """Return the expression that a text holds, columns counted from `first_column`.

    At most 4096 characters, nested at most 32 deep. Raises `ExpressionError`, also for unknown
    functions, names that begin as none can, and a wrong number of arguments.
    """
    return Expression(text, first_column, parse_tree(text, first_column))


def check(
    expression: Expression, names: Names, *, condition: bool = False
) -> list[ExpressionError]:
    """Return all that is wrong with an expression whatever the run, in the order of the text.

    With `condition`, the whole must be true or false, as in `when:`.
    """
    return sorted(
        mistakes(expression.root, names, condition=condition), key=lambda error: error.column
    )


def _reference(node: Node, defaulted: bool) -> Reference | None:
    match node:
        case Name():
            kind = ReferenceKind(node.root.value)
            return Reference(kind, "", node.name, defaulted, node.column)
        case StepStatus():
            return Reference(ReferenceKind.STATUS, node.step, "", defaulted, node.column)
        case StepOutput():
            return Reference(ReferenceKind.OUTPUT, node.step, node.name, defaulted, node.column)
        case _:
            return None


def _value(node: Node, scope: Scope) -> Value:
    match node:
        case Literal():
            return node.value
        case ListOf():
            return [_value(item, scope) for item in node.items]
        case Name() | StepStatus() | StepOutput():
            return _looked_up(node, scope)
        case Index():
            return _indexed(node, scope)
        case Call():
            arguments = [Argument(_value(part, scope), part.column) for part in node.arguments]
            return call(node.function, scope, arguments)
        case Default():
            return _defaulted(node, scope)
        case Compare() | Not() | Logic():
            return _truth(node, scope)
        case _:
            assert_never(node)


def _truth(node: Compare | Not | Logic, scope: Scope) -> bool:
    match node:
        case Compare():
            left, right = _value(node.left, scope), _value(node.right, scope)
            return compare(node.comparison, left, right, node.column)
        case Not():
            return not _boolean(node.operand, scope)
        case Logic():
            for operand in node.operands:
                if _boolean(operand, scope) is not node.every:
                    return not node.every
            return node.every
        case _:
            assert_never(node)


def _boolean(node: Node, scope: Scope) -> bool:
    value = _value(node, scope)
    if isinstance(value, bool):
        return value
    raise boolean_needed(kind_of(value), node.column)


def _defaulted(node: Default, scope: Scope) -> Value:
    try:
        value = _value(node.value, scope)
    except MissingValue:
        value = None
    return _value(node.fallback, scope) if value is None else value


def _looked_up(node: Name | StepStatus | StepOutput, scope: Scope) -> Value:
    match node:
        case Name():
            return _run_status(node, scope) if node.root is Root.RUN else _named(node, scope)
        case StepStatus():
            return _step(node, scope).status
        case StepOutput():
            step = _step(node, scope)
            if step.skipped or step.outputs is None or node.name not in step.outputs:
                raise MissingOutput(node.step, node.name, skipped=step.skipped, column=node.column)
            return step.outputs[node.name]
        case _:
            assert_never(node)


def _run_status(node: Name, scope: Scope) -> str:
    if scope.run_status is None:
        message = "`run.status` is known only when all else has ended"
        cure = "ask for it in a step of `finally:`; elsewhere there are `success()` and `failure()`"
        raise ExpressionError(message, column=node.column, cure=cure)
    return scope.run_status


def _named(node: Name, scope: Scope) -> Value:
    known = {
        Root.EVENT: scope.event,
        Root.ENV: scope.env,
        Root.MATRIX: scope.matrix,
        Root.INPUTS: scope.inputs,
    }[node.root]
    if node.name in known:
        return known[node.name]
    spelled = f"{node.root}.{node.name}"
    cure = did_you_mean(node.name, known) or f'say what holds then: `default({spelled}, "…")`'
    message = f"`{spelled}` has no value here"
    raise MissingValue(message, column=node.column, cure=cure)


def _step(node: StepStatus | StepOutput, scope: Scope) -> StepView:
    if node.step in scope.steps:
        return scope.steps[node.step]
    message = f"`{node.step}` is not among the needs of this step"
    cure = did_you_mean(node.step, scope.steps) or f"add `{node.step}` to its `needs:`"
    raise ExpressionError(message, column=node.column, cure=cure)


def _indexed(node: Index, scope: Scope) -> Value:
    value = _value(node.base, scope)
    for part in node.keys:
        value = _item(value, _value(part, scope), part.column)
    return value


def _item(value: Value, key: Value, column: int) -> Value:
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        message, cure = f"the list has no item {key}", f"it has {len(value)}, the first is 0"
        raise MissingValue(message, column=column, cure=cure)
    if isinstance(value, dict) and isinstance(key, str):
        if key in value:
            return value[key]
        cure = did_you_mean(key, value) or 'say what holds then: `default(…, "…")`'
        message = f"the mapping has no `{key}`"
        raise MissingValue(message, column=column, cure=cure)
    mistake = index_mistake(kind_of(value), kind_of(key), column)
    raise mistake or ExpressionError(
        f"{key} is no place in a list", column=column, cure="places are integers, the first is 0"
    )
