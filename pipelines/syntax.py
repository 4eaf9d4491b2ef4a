"""How the tokens of an expression make a tree; what can be known to be wrong here is said here.

or         = and ("or" and)*
and        = not ("and" not)*
not        = "not" not | comparison
comparison = part (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") part)?
part       = primary ("." name | "[" or "]")*
primary    = literal | "(" or ")" | list | function "(" arguments ")" | name
name       = ("event" | "env" | "matrix" | "inputs" | "run") key
           | "steps" key (".status" | ".outputs" key)
key        = "." name | "[" string "]"
"""

from __future__ import annotations

from collections.abc import Callable

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
)
from pipelines.suggestions import did_you_mean
from pipelines.tokens import Token, TokenKind, tokenize
from pipelines.values import Comparison, Scalar

MAX_NESTING = 32


def parse_tree(text: str, first_column: int = 1) -> Node:
    """Return the tree of an expression, columns counted from `first_column`.

    Raises `ExpressionError` for what is no expression, an unknown function or the beginning of an
    unknown name, and a call with too many or too few arguments.
    """
    return _Parser(tokenize(text, first_column)).parse()


_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_OPERATORS = ("and", "or", "not", "in")
_STEPS = "steps"


class _Parser:
    """Recursive descent over tokens; `_depth` keeps the recursion within `MAX_NESTING`."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def parse(self) -> Node:
        if self._ended():
            cure = 'write one, such as `event.branch == "main"`'
            message = "the expression is empty"
            raise ExpressionError(message, column=self._token.column, cure=cure)
        node = self._or()
        if not self._ended():
            raise self._unexpected(wanted="an operator or the end")
        return node

    def _ended(self) -> bool:
        return self._token.kind is TokenKind.END

    @property
    def _token(self) -> Token:
        return self._tokens[self._place]

    def _next(self) -> Token:
        token = self._token
        self._place += 1
        return token

    def _take(self, *texts: str) -> Token | None:
        """Return the token at hand, and go on, if it is one of these symbols or words."""
        if self._token.kind in (TokenKind.SYMBOL, TokenKind.NAME) and self._token.text in texts:
            return self._next()
        return None

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._unexpected(wanted=f"`{symbol}`")

    def _unexpected(self, wanted: str) -> ExpressionError:
        token, cure = self._token, ""
        if token.kind is TokenKind.NAME and token.text in _OPERATORS:
            cure = f"put parentheses around the part with `{token.text}`"
        elif token.kind is TokenKind.NAME:
            cure = did_you_mean(token.text, _OPERATORS)
        return ExpressionError(
            f"{wanted} is expected here, found {token}",
            column=token.column,
            cure=cure or f"write {wanted}",
        )

    def _nested(self, inner: Callable[[], Node]) -> Node:
        if self._depth == MAX_NESTING:
            message = f"the expression is nested deeper than {MAX_NESTING}"
            raise ExpressionError(message, column=self._token.column, cure="write it flatter")
        self._depth += 1
        node = inner()
        self._depth -= 1
        return node

    def _or(self) -> Node:
        return self._joined("or", self._and)

    def _and(self) -> Node:
        return self._joined("and", self._not)

    def _joined(self, word: str, operand: Callable[[], Node]) -> Node:
        column = self._token.column
        operands = [operand()]
        while self._take(word):
            operands.append(operand())
        return Logic(word == "and", tuple(operands), column) if operands[1:] else operands[0]

    def _not(self) -> Node:
        token = self._take("not")
        return Not(self._nested(self._not), token.column) if token else self._comparison()

    def _comparison(self) -> Node:
        left, column = self._part(), self._token.column
        comparison = self._comparing()
        if comparison is None:
            return left
        node = Compare(comparison, left, self._part(), column)
        column = self._token.column
        if self._comparing():
            cure = "compare two values at a time and join the parts with `and`"
            message = "comparisons do not chain"
            raise ExpressionError(message, column=column, cure=cure)
        return node

    def _comparing(self) -> Comparison | None:
        if self._take("not"):
            self._expect("in")
            return Comparison.NOT_IN
        taken = self._take(*Comparison)
        return Comparison(taken.text) if taken else None

    def _part(self) -> Node:
        node = self._primary()
        keys: list[Node] = []
        while opening := self._take(".", "["):
            if opening.text == ".":
                keys.append(self._dotted())
            else:
                keys.append(self._nested(self._or))
                self._expect("]")
        return Index(node, tuple(keys), node.column) if keys else node

    def _dotted(self) -> Literal:
        token = self._token
        if token.kind is not TokenKind.NAME:
            cure = 'what is no plain word goes into brackets: `["2nd build"]`'
            message = f"a name is expected after `.`, found {token}"
            raise ExpressionError(message, column=token.column, cure=cure)
        self._next()
        return Literal(token.text, token.column)

    def _primary(self) -> Node:
        token = self._token
        if token.kind in (TokenKind.STRING, TokenKind.NUMBER):
            self._next()
            return Literal(token.value, token.column)
        if token.kind is TokenKind.NAME and token.text not in _OPERATORS:
            return self._word(self._next())
        if self._take("("):
            node = self._nested(self._or)
            self._expect(")")
            return node
        if self._take("["):
            return ListOf(self._items("]"), token.column)
        raise self._unexpected(wanted="a value")

    def _items(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._take(closing):
            if items:
                self._expect(",")
            items.append(self._nested(self._or))
        return tuple(items)

    def _word(self, token: Token) -> Node:
        if token.text in _WORDS:
            return Literal(_WORDS[token.text], token.column)
        if self._take("("):
            return self._called(token)
        if token.text == _STEPS:
            return self._step(token)
        if token.text in set(Root):
            return self._named(Root(token.text), token)
        raise _unknown_name(token)

    def _called(self, token: Token) -> Node:
        signature = SIGNATURES.get(token.text)
        if signature is None:
            cure = did_you_mean(token.text, SIGNATURES) or f"there are {', '.join(SIGNATURES)}"
            message = f"there is no function `{token.text}`"
            raise ExpressionError(message, column=token.column, cure=cure)
        arguments = self._items(")")
        mistake = signature.arity_mistake(len(arguments), token.column)
        if mistake:
            raise mistake
        if signature.name == "default":
            value, fallback = arguments
            return Default(value, fallback, token.column)
        return Call(signature.name, arguments, token.column)

    def _named(self, root: Root, token: Token) -> Node:
        name = self._key(token.text)
        if root is Root.RUN and name != "status":
            message = f"a run has no `{name}`"
            raise ExpressionError(message, column=token.column, cure="it has `run.status`")
        return Name(root, name, token.column)

    def _step(self, token: Token) -> Node:
        step = self._key(_STEPS)
        spelled = f"steps.{step}"
        column = self._token.column
        part = self._key(spelled)
        if part == "status":
            return StepStatus(step, token.column)
        if part == "outputs":
            return StepOutput(step, self._key(f"{spelled}.outputs"), token.column)
        cure = did_you_mean(part, ("status", "outputs"))
        cure = cure or f"it has `{spelled}.status` and `{spelled}.outputs.NAME`"
        message = f"a step has no `{part}`"
        raise ExpressionError(message, column=column, cure=cure)

    def _key(self, before: str) -> str:
        """Return the fixed name after `before`, so that what is looked at is known at once."""
        if self._take("."):
            return str(self._dotted().value)
        if self._take("["):
            token = self._token
            if token.kind is not TokenKind.STRING:
                message = f"a string is expected in `{before}[…]`, found {token}"
                cure = f'only a fixed name can stand here: `{before}["name"]`'
                raise ExpressionError(message, column=token.column, cure=cure)
            self._next()
            self._expect("]")
            return str(token.value)
        message = f"`{before}` alone is no value"
        raise ExpressionError(message, column=self._token.column, cure=f"write `{before}.NAME`")


def _unknown_name(token: Token) -> ExpressionError:
    if token.text in SIGNATURES:
        cure = f"`{token.text}` is a function: write `{SIGNATURES[token.text].usage}`"
    else:
        cure = did_you_mean(token.text, (*_WORDS, *Root, _STEPS))
    cure = cure or f'put text into quotes: "{token.text}"; a name begins as in `event.branch`'
    return ExpressionError(f"there is no name `{token.text}`", column=token.column, cure=cure)
