"""The tree that an expression makes: plain values, so that it can be compared, kept and walked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from pipelines.values import Comparison, Scalar


class Root(StrEnum):
    """What a name can begin with, besides `steps`."""

    EVENT = "event"
    ENV = "env"
    MATRIX = "matrix"
    INPUTS = "inputs"
    RUN = "run"


@dataclass(frozen=True)
class Literal:
    """A value as it stands in the text."""

    value: Scalar
    column: int


@dataclass(frozen=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Node, ...]
    column: int


@dataclass(frozen=True)
class Name:
    """`event.branch`, `env.HOME`, `matrix["python-version"]`, `inputs.target`, `run.status`."""

    root: Root
    name: str
    column: int


@dataclass(frozen=True)
class StepStatus:
    """`steps.build.status`."""

    step: str
    column: int


@dataclass(frozen=True)
class StepOutput:
    """`steps.build.outputs.image`."""

    step: str
    name: str
    column: int


@dataclass(frozen=True)
class Index:
    """`base[key]`, or `base.key` with a literal for its key; many in a row make one node."""

    base: Node
    keys: tuple[Node, ...]
    column: int


@dataclass(frozen=True)
class Call:
    """A call of a function that exists, with as many arguments as it takes."""

    function: str
    arguments: tuple[Node, ...]
    column: int


@dataclass(frozen=True)
class Default:
    """`default(value, fallback)`: the only place where a value may be missing."""

    value: Node
    fallback: Node
    column: int


@dataclass(frozen=True)
class Compare:
    """Two values compared; the column is that of the operator."""

    comparison: Comparison
    left: Node
    right: Node
    column: int


@dataclass(frozen=True)
class Not:
    """`not operand`."""

    operand: Node
    column: int


@dataclass(frozen=True)
class Logic:
    """Two or more operands joined by `and`, if `every`, else by `or`."""

    every: bool
    operands: tuple[Node, ...]
    column: int


Node: TypeAlias = (
    Literal
    | ListOf
    | Name
    | StepStatus
    | StepOutput
    | Index
    | Call
    | Default
    | Compare
    | Not
    | Logic
)


def children(node: Node) -> tuple[Node, ...]:
    """Return what a node is made of, in the order of the text."""
    match node:
        case Literal() | Name() | StepStatus() | StepOutput():
            return ()
        case ListOf():
            return node.items
        case Index():
            return (node.base, *node.keys)
        case Call():
            return node.arguments
        case Default():
            return (node.value, node.fallback)
        case Compare():
            return (node.left, node.right)
        case Not():
            return (node.operand,)
        case Logic():
            return node.operands
        case _:
            assert_never(node)


def walk(node: Node, *, defaulted: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield every node of a tree, and whether a `default` stands by if it has no value."""
    yield node, defaulted
    for place, child in enumerate(children(node)):
        covered = isinstance(node, Default) and place == 0
        yield from walk(child, defaulted=defaulted or covered)
