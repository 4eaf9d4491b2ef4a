"""Processors and bytes: what may be written, and what is said of the rest."""

from __future__ import annotations

import pytest

from pipelines.errors import ExpressionError
from pipelines.quantities import parse_bytes, parse_processors


@pytest.mark.parametrize(
    ("text", "processors"),
    [("2", 2.0), ("0.5", 0.5), ("500m", 0.5), ("1m", 0.001), ("1500m", 1.5), ("1024", 1024.0)],
)
def test_processors(text: str, processors: float) -> None:
    assert parse_processors(text) == processors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`` is no number of processors"),
        ("half", "`half` is no number of processors"),
        ("-1", "`-1` is no number of processors"),
        ("1 m", "`1 m` is no number of processors"),
        (".5", "`.5` is no number of processors"),
        ("2cores", "`2cores` is no number of processors"),
        ("9" * 1000, f"`{'9' * 40}` is no number of processors"),
        ("0", "`0` is not between `1m` and 1024 processors"),
        ("0.5m", "`0.5m` is not between `1m` and 1024 processors"),
        ("1025", "`1025` is not between `1m` and 1024 processors"),
    ],
)
def test_what_is_no_number_of_processors(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_processors(text)
    assert refused.value.message == message
    assert "500m" in refused.value.cure


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 2**20),
        ("512Mi", 2**29),
        ("512 MiB", 2**29),
        ("2Gi", 2**31),
        ("1.5GiB", 3 * 2**29),
        ("4096Ki", 2**22),
        ("1Ti", 2**40),
        ("2000k", 2_000_000),
        ("500M", 500_000_000),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1024TiB", 2**50),
    ],
)
def test_bytes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`` is no size"),
        ("lots", "`lots` is no size"),
        ("-1Gi", "`-1Gi` is no size"),
        ("1e9", "`1e9` is no size"),
        ("512m", "`m` is no unit of size"),
        ("512mb", "`mb` is no unit of size"),
        ("512", "`512` is not between 1 MiB and 1 PiB"),
        ("1023Ki", "`1023Ki` is not between 1 MiB and 1 PiB"),
        ("1025Ti", "`1025Ti` is not between 1 MiB and 1 PiB"),
    ],
)
def test_what_is_no_size(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_bytes(text)
    assert refused.value.message == message
    assert "512Mi" in refused.value.cure
