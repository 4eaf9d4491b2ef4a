from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.quantities import (
    parse_duration,
    parse_processors,
    parse_size,
    show_duration,
    show_processors,
    show_size,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1048576", 2**20), ("12B", 12), ("4 MiB", 4 * 2**20), (" 1GiB ", 2**30)],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "4 MB", "-1", "1.5 GiB", "4 mib"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("0.5", 0.5),
        ("10m", 600),
        ("1h", 3600),
        ("1h30m", 5400),
        ("30d", 2592000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-5", "30m1h", "soon"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("2", 2), ("0.5", 0.5), (" 500m ", 0.5), ("1m", 0.001)]
)
def test_processors(text: str, count: float) -> None:
    assert parse_processors(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "2 cores", "0.1m", "8s"])
def test_no_processors(text: str) -> None:
    with pytest.raises(ValueError, match="write it as `2`, "):
        parse_processors(text)


@given(st.integers(0, 2**50))
def test_sizes_read_back_as_they_are_shown(count: int) -> None:
    assert parse_size(show_size(count)) == count


@given(st.integers(0, 10**6))
def test_durations_read_back_as_they_are_shown(seconds: int) -> None:
    assert parse_duration(show_duration(float(seconds))) == seconds


@given(st.integers(1, 999_999))
def test_processors_read_back_as_they_are_shown(thousandths: int) -> None:
    assert parse_processors(show_processors(thousandths / 1000)) == thousandths / 1000


def test_the_largest_unit_is_shown() -> None:
    assert [show_size(n) for n in (0, 1023, 2**20, 3 * 2**30)] == [
        "0 B",
        "1023 B",
        "1 MiB",
        "3 GiB",
    ]
    assert [show_duration(s) for s in (0, 0.5, 90, 3600, 86400, 2_595_600)] == [
        "0s",
        "0.5s",
        "1m30s",
        "1h",
        "1d",
        "30d1h",
    ]
