"""What a log may do to a terminal: colour it, and nothing else."""

from __future__ import annotations

import pytest

from runner.cli.terminal import first_line, shown


@pytest.mark.parametrize(
    ("text", "plain", "coloured"),
    [
        ("plain", "plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[38;2;1;2;3mx", "x", "\x1b[38;2;1;2;3mx\x1b[0m"),
        ("a\x1b[2Jb\x1b[1;1Hc\x1b[?25ld", "abcd", "abcd"),
        ("\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\y\x1b]8;;\x1b\\", "xy", "xy"),
        ("\x1bPq#0\x1b\\z\x1bc\x1b(B", "z", "z"),
        ("\x1b]52;c;Y2xpcA==", "", ""),
        ("a\tb\x07\x08\x00\x7f\x9bc", "a    bc", "a    bc"),
        ("10%\r50%\r100%\r", "100%", "100%"),
        ("safe\u202etxt.exe\u2066", "safetxt.exe", "safetxt.exe"),
        ("half \x1b[31", "half ", "half "),
        ("\x1b", "", ""),
    ],
)
def test_only_colours_are_left(text: str, plain: str, coloured: str) -> None:
    assert shown(text) == plain
    assert shown(text, colours=True) == coloured


def test_the_first_line_of_a_text() -> None:
    assert first_line("\n  Fix it\x1b[2J\n\nBecause.") == "Fix it"
    assert first_line("12345", 5) == "12345"
    assert first_line("123456", 5) == "1234…"
