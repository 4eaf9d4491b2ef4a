"""Tables: aligned whatever is in them, and cut only where the screen ends."""

from __future__ import annotations

import click

from runner.cli.tables import cut, screen_width, table

ROWS = [
    ("acme/demo#1", click.style("✓ success", fg="green"), "漢字"),
    ("a#2", "x", "a longer message"),
]


def test_columns_are_aligned() -> None:
    lines = [click.unstyle(line) for line in table(("RUN", "STATUS", "MESSAGE"), ROWS)]
    assert lines == [
        "RUN          STATUS     MESSAGE",
        "acme/demo#1  ✓ success  漢字",
        "a#2          x          a longer message",
    ]


def test_the_last_column_is_cut_where_the_screen_ends() -> None:
    lines = table(("RUN", "STATUS", "MESSAGE"), ROWS, 34)
    assert lines[2] == "a#2          x          a longer…"
    assert table(("A", "B"), [("1", "123456789")], 3)[1] == "1  1234567…"


def test_cutting() -> None:
    assert cut("12345", 5) == "12345"
    assert cut("123456", 5) == "1234…"
    assert cut("漢字漢字", 6) == "漢字…"


def test_a_file_has_no_width() -> None:
    assert screen_width() is None
