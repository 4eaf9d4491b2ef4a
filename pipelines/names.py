"""What an expression may name, and what is wrong with one before anything has run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields

from pipelines.errors import ExpressionError
from pipelines.events import Manual, PullRequest, Push, Tag
from pipelines.functions import SIGNATURES, read_glob, read_patterns
from pipelines.nodes import (
    Call,
    Compare,
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
from pipelines.states import RunStatus, State
from pipelines.suggestions import did_you_mean
from pipelines.values import (
    Comparison,
    Kind,
    boolean_needed,
    comparison_mistake,
    index_mistake,
    kind_of,
)

_EQUALITY = (Comparison.EQUAL, Comparison.NOT_EQUAL)
_KINDS = {"str": Kind.STRING, "bool": Kind.BOOLEAN, "int": Kind.NUMBER}

EVENT_FIELDS: Mapping[str, Kind | None] = {
    "kind": Kind.STRING,
    "ref": Kind.STRING,
    **{
        member.name: _KINDS.get(str(member.type))
        for event in (Push, Tag, PullRequest, Manual)
        for member in fields(event)
    },
}


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names that an expression may use.

    `env` is None where the environment is not known. `steps` maps each step that may be looked at
    to the outputs it declares; `others` are steps of the pipeline that may not. `in_finally` says
    whether `run.status` is known.
    """

    event: Collection[str] = tuple(EVENT_FIELDS)
    env: Collection[str] | None = None
    matrix: Collection[str] = ()
    inputs: Collection[str] = ()
    steps: Mapping[str, Collection[str]] = field(default_factory=dict)
    others: Collection[str] = ()
    in_finally: bool = False


def mistakes(tree: Node, names: Names, *, condition: bool = False) -> Iterator[ExpressionError]:
    """Yield what is wrong with an expression whatever the run; `condition` asks for a boolean."""
    if condition:
        yield from _not_boolean(tree)
    for node, defaulted in walk(tree):
        yield from _misnamed(node, defaulted, names)
        yield from _mistyped(node)


def _misnamed(node: Node, defaulted: bool, names: Names) -> Iterator[ExpressionError]:
    match node:
        case Name(root=Root.RUN) if not names.in_finally:
            message = "`run.status` is known only when all else has ended"
            cure = "ask for it in a step of `finally:`"
            yield ExpressionError(message, column=node.column, cure=cure)
        case Name(root=Root.ENV) if names.env is not None and not defaulted:
            yield from _unlisted(node, names.env)
        case Name(root=Root.EVENT):
            yield from _unlisted(node, names.event)
        case Name(root=Root.MATRIX):
            yield from _unlisted(node, names.matrix)
        case Name(root=Root.INPUTS):
            yield from _unlisted(node, names.inputs)
        case StepStatus() | StepOutput():
            yield from _misnamed_step(node, names)
        case _:
            return


def _unlisted(node: Name, known: Collection[str]) -> Iterator[ExpressionError]:
    if node.name not in known:
        message = f"there is no `{node.root}.{node.name}`"
        yield ExpressionError(message, column=node.column, cure=_nearest(node.name, known))


def _nearest(word: str, known: Collection[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in sorted(known)[:12])
    return did_you_mean(word, known) or (f"there are {listed}" if listed else "there are none")


def _misnamed_step(node: StepStatus | StepOutput, names: Names) -> Iterator[ExpressionError]:
    if node.step not in names.steps:
        message = f"`{node.step}` is not among the needs of this step"
        cure = f"add `{node.step}` to its `needs:`"
        if node.step not in names.others:
            message = f"there is no step `{node.step}`"
            cure = _nearest(node.step, (*names.steps, *names.others))
        yield ExpressionError(message, column=node.column, cure=cure)
    elif isinstance(node, StepOutput) and node.name not in names.steps[node.step]:
        message = f"step `{node.step}` declares no output `{node.name}`"
        cure = did_you_mean(node.name, names.steps[node.step])
        cure = cure or f"add `{node.name}` to the `outputs:` of `{node.step}`"
        yield ExpressionError(message, column=node.column, cure=cure)


def _kind(node: Node) -> Kind | None:
    """Return the kind that a node has in every run, None if that depends."""
    match node:
        case Literal():
            return kind_of(node.value)
        case ListOf():
            return Kind.LIST
        case Compare() | Not() | Logic():
            return Kind.BOOLEAN
        case StepStatus() | Name(root=Root.RUN):
            return Kind.STRING
        case Name(root=Root.EVENT):
            return EVENT_FIELDS.get(node.name)
        case Call():
            return SIGNATURES[node.function].gives
        case _:
            return None


def _not_boolean(node: Node) -> Iterator[ExpressionError]:
    kind = _kind(node)
    if kind not in (None, Kind.BOOLEAN):
        yield boolean_needed(kind, node.column)


def _mistyped(node: Node) -> Iterator[ExpressionError]:
    match node:
        case Logic():
            for operand in node.operands:
                yield from _not_boolean(operand)
        case Not():
            yield from _not_boolean(node.operand)
        case Compare():
            yield from _mistyped_comparison(node)
            yield from _misspelled_status(node)
        case Index():
            yield from _mistyped_index(node)
        case Call():
            yield from _mistyped_call(node)
        case _:
            return


def _mistyped_comparison(node: Compare) -> Iterator[ExpressionError]:
    left, right = _kind(node.left), _kind(node.right)
    if left is None or right is None:
        return
    mistake = comparison_mistake(node.comparison, left, right, node.column)
    if mistake:
        yield mistake
    elif node.comparison in _EQUALITY and left is not right and Kind.NULL not in (left, right):
        cure = "compare values of one kind"
        yield ExpressionError(f"{left} never equals {right}", column=node.column, cure=cure)


def _misspelled_status(node: Compare) -> Iterator[ExpressionError]:
    for looked, other in ((node.left, node.right), (node.right, node.left)):
        words = _status_words(looked)
        for part in other.items if isinstance(other, ListOf) else (other,):
            word = part.value if isinstance(part, Literal) else None
            if words and isinstance(word, str) and word not in words:
                message, cure = f"no status is `{word}`", _nearest(word, words)
                yield ExpressionError(message, column=part.column, cure=cure)


def _status_words(node: Node) -> tuple[str, ...]:
    match node:
        case StepStatus():
            return tuple(State)
        case Name(root=Root.RUN):
            return tuple(RunStatus)
        case _:
            return ()


def _mistyped_index(node: Index) -> Iterator[ExpressionError]:
    base, key = _kind(node.base), _kind(node.keys[0])
    if base is not None and key is not None:
        mistake = index_mistake(base, key, node.keys[0].column)
        if mistake:
            yield mistake


def _mistyped_call(node: Call) -> Iterator[ExpressionError]:
    for place, argument in enumerate(node.arguments):
        kind = _kind(argument)
        if kind is not None:
            mistake = SIGNATURES[node.function].argument_mistake(place, kind, argument.column)
            if mistake:
                yield mistake
    yield from _misread_globs(node)


def _misread_globs(node: Call) -> Iterator[ExpressionError]:
    globs = {"changed": node.arguments, "matches": node.arguments[1:]}.get(node.function, ())
    for glob in globs:
        if isinstance(glob, Literal) and isinstance(glob.value, str):
            try:
                if node.function == "changed":
                    read_patterns([glob.value], glob.column)
                else:
                    read_glob(glob.value, glob.column)
            except ExpressionError as error:
                yield error
