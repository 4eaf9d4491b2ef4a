"""Expressions as tokens: what there is, and where each stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.tokens import MAX_LENGTH, Token, TokenKind, tokenize
from tests.pipelines.counting import steps


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0", TokenKind.NUMBER, 0),
        ("42", TokenKind.NUMBER, 42),
        ("-7", TokenKind.NUMBER, -7),
        ("007", TokenKind.NUMBER, 7),
        ("3.10", TokenKind.NUMBER, 3.1),
        ("-0.5", TokenKind.NUMBER, -0.5),
        ("9" * 40, TokenKind.NUMBER, int("9" * 40)),
        ('"main"', TokenKind.STRING, "main"),
        ("'main'", TokenKind.STRING, "main"),
        ('""', TokenKind.STRING, ""),
        ('"it\'s"', TokenKind.STRING, "it's"),
        ("'say \"so\"'", TokenKind.STRING, 'say "so"'),
        (r'"a\"b"', TokenKind.STRING, 'a"b'),
        (r"'a\'b'", TokenKind.STRING, "a'b"),
        (r'"\n\t\r\\"', TokenKind.STRING, "\n\t\r\\"),
        ('"two\nlines"', TokenKind.STRING, "two\nlines"),
        ('"ünïcode }} ${{"', TokenKind.STRING, "ünïcode }} ${{"),
        ("event", TokenKind.NAME, "event"),
        ("unit-test", TokenKind.NAME, "unit-test"),
        ("_x9", TokenKind.NAME, "_x9"),
        *((symbol, TokenKind.SYMBOL, symbol) for symbol in [*"<>()[],.", "==", "!=", "<=", ">="]),
    ],
)
def test_one_token(text: str, kind: TokenKind, value: object) -> None:
    token, end = tokenize(text)
    assert (token.kind, token.text, token.column, token.value) == (kind, text, 1, value)
    assert type(token.value) is type(value)
    assert end == Token(TokenKind.END, "", len(text) + 1)


def test_columns_count_from_one_and_blanks_count() -> None:
    tokens = tokenize('a ==\n\t["b" , 1]')
    assert [(token.text, token.column) for token in tokens] == [
        ("a", 1),
        ("==", 3),
        ("[", 7),
        ('"b"', 8),
        (",", 12),
        ("1", 14),
        ("]", 15),
        ("", 16),
    ]


def test_columns_can_count_from_elsewhere() -> None:
    assert [token.column for token in tokenize("a b", 11)] == [11, 13, 14]


def test_a_token_is_named_as_it_is_written() -> None:
    assert [str(token) for token in tokenize('"x"')] == ['`"x"`', "the end"]


@pytest.mark.parametrize(
    ("text", "column", "message", "cure"),
    [
        ('a == "main', 6, "no end", 'close it with "'),
        ("'", 1, "no end", "close it with '"),
        (r'"a\"', 1, "no end", "close it"),
        (r'"ab\q"', 4, r"`\q` is no escape", "a backslash itself"),
        ("a = b", 3, "`=` means nothing", "`==`"),
        ("!a", 1, "`!` means nothing", "`not`"),
        ("a && b", 3, "`&` means nothing", "`and`"),
        ("a || b", 3, "`|` means nothing", "`or`"),
        ("a + 1", 3, "`+` means nothing", "no arithmetic"),
        ("a - 1", 3, "`-` means nothing", "no arithmetic"),
        ("a / 2", 3, "`/` means nothing", "no arithmetic"),
        ("${{ a", 1, "`$` means nothing", "no braces"),
        ("a }", 3, "`}` means nothing", "no braces"),
        ("a == “main”", 6, "`“` means nothing", "plain quotes"),
        ("ä", 1, "`ä` means nothing", "in quotes"),
        ("a\x00", 2, "means nothing", "in quotes"),
        ("3.12.1", 1, "`3.12.1` is no number", 'quotes: "3.12.1"'),
        ("2nd", 1, "`2nd` is no number", "quotes"),
        ("1.", 1, "`1.` is no number", "quotes"),
        ("1e5", 1, "`1e5` is no number", "quotes"),
        ("9" * 41, 1, "more than 40", "shorter"),
        ("x" * (MAX_LENGTH + 1), 1, "longer than 4096", "script"),
    ],
)
def test_what_is_no_token(text: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        tokenize(text)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


@given(st.text(alphabet=st.sampled_from("ab1 .-_\"'\\\n[](),=!<>ä"), max_size=40))
def test_tokens_stand_where_they_say(text: str) -> None:
    tokens: tuple[Token, ...] = ()
    column = 1
    try:
        tokens = tokenize(text)
    except ExpressionError as error:
        column = error.column
    assert 1 <= column <= max(1, len(text))
    for token in tokens:
        assert text[token.column - 1 :].startswith(token.text)
    blank = "".join(token.text for token in tokens if token.kind is not TokenKind.STRING)
    assert not set(blank) & set(" \n\"'")


@pytest.mark.parametrize("piece", ["a ", "((", '"" ', "'\\'' ", "-1 ", "== "])
def test_the_work_is_linear_in_the_text(piece: str) -> None:
    small = steps(lambda: tokenize(piece * 100))
    large = steps(lambda: tokenize(piece * 400))
    assert large < 4.2 * small


def test_a_string_without_end_is_found_out_at_once() -> None:
    def work() -> None:
        with pytest.raises(ExpressionError):
            tokenize('"' + '\\"' * 2000)

    assert steps(work) < 200
