"""Text that others wrote cannot break a store, a line or a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.texts import clean, cut, line, shown

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("fine", 10, "fine"),
        ("a\x00b\ud800c", 10, "a\ufffdb\ufffdc"),
        ("two\nlines\t\x1b[0m", 40, "two\nlines\t\x1b[0m"),
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        (None, 5, ""),
        (7, 5, ""),
        ({"a": 1}, 5, ""),
    ],
)
def test_clean(value: object, limit: int, expected: str) -> None:
    assert clean(value, limit) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  a \n\t b\r\n", "a b"),
        ("red\x1b[31m\x07\x9b", "red[31m"),
        ("grüße 🦊", "grüße 🦊"),
        ("x" * 200, "x" * 139 + "…"),
        ("\udfff", ""),
    ],
)
def test_line(value: str, expected: str) -> None:
    assert line(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a'\x1b\ud800", r'"a' + "'" + r'\x1b\ud800"'),
        (None, "nothing"),
        ([[[]]], "a value of type list"),
        (10**4000, "a value of type int"),
    ],
)
def test_shown(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_cut_counts_characters() -> None:
    assert cut("🦊🦊🦊", 2) == "🦊…"


@given(ANY_TEXT, st.integers(1, 50))
def test_whatever_comes_is_storable_and_short(value: str, limit: int) -> None:
    cleaned = clean(value, limit)
    assert len(cleaned) <= limit
    assert "\x00" not in cleaned
    cleaned.encode()
    told = line(value, limit)
    assert len(told) <= limit
    assert len(told.splitlines()) <= 1
    told.encode()
    assert shown(value).isascii()
