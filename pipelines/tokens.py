"""An expression is read as tokens, each of which knows its column, so that every error can point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pipelines.errors import ExpressionError

MAX_LENGTH = 4096
MAX_DIGITS = 40

_TOKEN = re.compile(
    r"""
      (?P<space>  [ \t\r\n]+ )
    | (?P<number> -?[0-9][A-Za-z0-9_.-]* )
    | (?P<string> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_-]* )
    | (?P<symbol> [=!<>]= | [<>()\[\],.] )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_CURES = {
    "=": "compare with `==`",
    "!": "write `not`, or `!=` to compare",
    "&": "write `and`",
    "|": "write `or`",
    **dict.fromkeys("+-*/%^~", "there is no arithmetic"),
    **dict.fromkeys("${}", "an expression holds no braces outside of strings"),
    **dict.fromkeys("\u201c\u201d\u2018\u2019\u00ab\u00bb`", 'text goes into plain quotes: "…"'),
}


class TokenKind(StrEnum):
    """What a token is, worded for error messages."""

    NUMBER = "a number"
    STRING = "a string"
    NAME = "a name"
    SYMBOL = "a symbol"
    END = "the end"


@dataclass(frozen=True)
class Token:
    """A piece of an expression: `text` as it is written, `value` what it stands for."""

    kind: TokenKind
    text: str
    column: int
    value: str | int | float = ""

    def __str__(self) -> str:
        return "the end" if self.kind is TokenKind.END else f"`{self.text}`"


def tokenize(text: str, first_column: int = 1) -> tuple[Token, ...]:
    """Return the tokens of an expression of at most `MAX_LENGTH` characters, END as the last.

    Columns are counted from `first_column`. Raises `ExpressionError`.
    """
    if len(text) > MAX_LENGTH:
        message = f"the expression is longer than {MAX_LENGTH} characters"
        raise ExpressionError(message, column=first_column, cure="do the work in a step's script")
    tokens, place = [], 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _unknown(text[place], first_column + place)
        if found.lastgroup != "space":
            tokens.append(_token(str(found.lastgroup), found.group(), first_column + place))
        place = found.end()
    tokens.append(Token(TokenKind.END, "", first_column + len(text)))
    return tuple(tokens)


def _token(group: str, written: str, column: int) -> Token:
    kind = TokenKind[group.upper()]
    match kind:
        case TokenKind.NUMBER:
            return Token(kind, written, column, _number(written, column))
        case TokenKind.STRING:
            return Token(kind, written, column, _unescaped(written, column))
        case _:
            return Token(kind, written, column, written)


def _unknown(character: str, column: int) -> ExpressionError:
    if character in "\"'":
        message, cure = "the string that begins here has no end", f"close it with {character}"
    else:
        message = f"`{character}` means nothing in an expression"
        cure = _CURES.get(character, "only strings, in quotes, hold such characters")
    return ExpressionError(message, column=column, cure=cure)


def _number(written: str, column: int) -> int | float:
    matched = _NUMBER.fullmatch(written)
    if matched is None:
        cure = f'a name or text that begins with a digit goes into quotes: "{written}"'
        message = f"`{written}` is no number"
        raise ExpressionError(message, column=column, cure=cure)
    if len(written) > MAX_DIGITS:
        message = f"the number has more than {MAX_DIGITS} characters"
        raise ExpressionError(message, column=column, cure="write a shorter one, or a string")
    return float(written) if matched[1] else int(written)


def _unescaped(written: str, column: int) -> str:
    def plain(escape: re.Match[str]) -> str:
        if escape[1] in _ESCAPES:
            return _ESCAPES[escape[1]]
        message, place = f"`{escape[0]}` is no escape", column + 1 + escape.start()
        cure = r"there are \\ \" \' \n \t \r; a backslash itself is \\"
        raise ExpressionError(message, column=place, cure=cure)

    return _ESCAPE.sub(plain, written[1:-1])
