"""Durations: what may be written, and what people read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.durations import MAX_SECONDS, format_duration, parse_duration
from pipelines.errors import ExpressionError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("500ms", 0.5),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s5ms", 93_784.005),
        ("1h 30m", 5400),
        (" 5 s ", 5),
        ("1.5h", 5400),
        ("0s", 0),
        ("45", 45),
        ("0.25", 0.25),
        (90, 90),
        (0, 0),
        (0.5, 0.5),
        ("365d", MAX_SECONDS),
    ],
)
def test_durations_that_are_understood(written: str | float, seconds: float) -> None:
    parsed = parse_duration(written)
    assert isinstance(parsed, float)
    assert parsed == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "column", "message"),
    [
        ("", 1, "is no duration"),
        ("  ", 1, "is no duration"),
        ("1s" * 40, 1, "is no duration"),
        ("soon", 1, "a number is expected before `soon`"),
        ("h1", 1, "a number is expected before `h1`"),
        ("-5s", 1, "a number is expected"),
        ("1h,5m", 3, "a number is expected before `,5m`"),
        ("10 minuts", 4, "`minuts` is no unit of time"),
        ("5S", 2, "`S` is no unit of time"),
        ("1h30", 5, "the number has no unit"),
        ("5 5s", 3, "the number has no unit"),
        ("30m1h", 5, "`h` comes after a unit that is not larger"),
        ("1s2s", 4, "`s` comes after a unit that is not larger"),
        ("366d", 1, "is not between 0 and 365 days"),
        ("9" * 60, 1, "is not between 0 and 365 days"),
        (-1, 1, "`-1` is not between"),
        (float("nan"), 1, "`nan` is not between"),
        (float("inf"), 1, "`inf` is not between"),
    ],
)
def test_durations_that_are_refused(written: str | float, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_duration(written)
    assert caught.value.column == column
    assert message in caught.value.message
    assert "`1h30m`" in caught.value.cure


@pytest.mark.parametrize(("written", "name"), [(True, "bool"), (None, "NoneType"), ([], "list")])
def test_what_is_neither_text_nor_number_is_refused(written: float, name: str) -> None:
    with pytest.raises(ExpressionError, match=f"not {name}"):
        parse_duration(written)


@given(st.text(alphabet=st.sampled_from("0123456789.dhms -"), max_size=20))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    seconds, column = 0.0, 1
    try:
        seconds = parse_duration(text)
    except ExpressionError as error:
        column = error.column
    assert 0 <= seconds <= MAX_SECONDS
    assert 1 <= column <= len(text) + 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0004, "0 ms"),
        (0.04, "40 ms"),
        (0.099, "99 ms"),
        (0.0999, "0.1 s"),
        (0.4, "0.4 s"),
        (1, "1 s"),
        (2.04, "2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m"),
        (60, "1m"),
        (90, "1m 30s"),
        (3599.7, "1h"),
        (3600, "1h"),
        (3605, "1h"),
        (3900, "1h 5m"),
        (86_400, "1d"),
        (93_784, "1d 2h"),
        (1_000_000, "11d 13h"),
        (-0.4, "-0.4 s"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 59), st.integers(1, 59))
def test_what_is_shown_can_be_written(seconds: int, minutes: int) -> None:
    length = 60 * minutes + seconds
    assert parse_duration(format_duration(length)) == length
