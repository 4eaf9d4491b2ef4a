"""Text with `${{ }}` in it: found in strings of the parsed tree, never in the text of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.errors import ExpressionError
from pipelines.expressions import Expression, Reference, Scope, Value, parse
from pipelines.values import MAX_TEXT, render

_OPENING = re.compile(r"\$?\$\{\{")
_BODY = re.compile(
    r"""(?: "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [^"'}] | \}(?!\}) )*+""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Template:
    """A text that was read: pieces of plain text and the expressions between them."""

    text: str
    parts: tuple[str | Expression, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions, in the order of the text; their columns count within it."""
        return tuple(part for part in self.parts if isinstance(part, Expression))

    @property
    def constant(self) -> bool:
        """Whether the text is the same in every scope."""
        return not self.expressions

    def references(self) -> frozenset[Reference]:
        """Return all that the expressions may look at."""
        looks = (expression.references() for expression in self.expressions)
        return frozenset[Reference]().union(*looks)

    def evaluate(self, scope: Scope) -> str:
        """Return the text in a scope, at most `MAX_TEXT` characters; raise `ExpressionError`.

        Strings stand as they are, null as nothing, lists and mappings as JSON.
        """
        written, size = [], 0
        for part in self.parts:
            column = 1 if isinstance(part, str) else part.column
            piece = part if isinstance(part, str) else render(part.evaluate(scope), column)
            written.append(piece)
            size += len(piece)
            if size > MAX_TEXT:
                message = f"the text would be longer than {MAX_TEXT} characters"
                cure = "hand large data on as a file"
                raise ExpressionError(message, column=column, cure=cure)
        return "".join(written)

    def value(self, scope: Scope) -> Value:
        """Return the value itself if the text is one `${{ }}` and blanks, the text otherwise."""
        whole = self.whole
        return self.evaluate(scope) if whole is None else whole.evaluate(scope)

    @property
    def whole(self) -> Expression | None:
        """The expression that makes up the whole text but for blanks around it, if one does."""
        inked = [part for part in self.parts if not isinstance(part, str) or part.strip()]
        if len(inked) == 1 and isinstance(inked[0], Expression):
            return inked[0]
        return None


def parse_template(text: str) -> Template:
    """Return the template that a text holds; `$${{` stands for a plain `${{`.

    Raises `ExpressionError` with the column within the whole text, on whichever line.
    """
    parts: list[str | Expression] = []
    plain, place = "", 0
    while opening := _OPENING.search(text, place):
        plain += text[place : opening.start()]
        place = opening.end()
        if opening[0].startswith("$$"):
            plain += "${{"
        else:
            closing = _closing(text, opening)
            parts += [plain, parse(text[place:closing], place + 1)]
            plain, place = "", closing + 2
    parts.append(plain + text[place:])
    return Template(text, tuple(part for part in parts if part != ""))


def _closing(text: str, opening: re.Match[str]) -> int:
    body = _BODY.match(text, opening.end())
    end = body.end() if body else len(text)
    closing = text.find("}}", end)
    if closing < 0:
        column = opening.start() + 1
        message = "`${{` is not closed"
        raise ExpressionError(message, column=column, cure="close it with `}}`")
    return closing


def parse_condition(text: str) -> Expression:
    """Return the expression of a `when:`, written plainly or as one `${{ }}`.

    Raises `ExpressionError` with the column within the whole text.
    """
    if not _OPENING.match(text.lstrip()):
        return parse(text)
    expression = parse_template(text).whole
    if expression is None:
        cure = "write the whole condition in one `${{ }}`, or without any"
        message = "text around `${{ }}` makes no condition"
        raise ExpressionError(message, column=1, cure=cure)
    return expression
