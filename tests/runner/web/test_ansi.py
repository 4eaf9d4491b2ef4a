from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.web.ansi import LONGEST, PLAIN, Style, render, stripped


def html(text: str, style: Style = PLAIN) -> str:
    return str(render(text, style)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("<b>&\"'", "&lt;b&gt;&amp;&#34;&#39;"),
        ("\x1b[31mred\x1b[0m x", '<span class="fg1">red</span> x'),
        ("\x1b[1;4;32mok\x1b[m", '<span class="bold underline fg2">ok</span>'),
        ("\x1b[2m\x1b[3mx", '<span class="faint italic">x</span>'),
        ("\x1b[1m\x1b[2mx\x1b[22my", '<span class="bold faint">x</span>y'),
        ("\x1b[3;4mx\x1b[23my\x1b[24mz", None),
        ("\x1b[91mx\x1b[39my", '<span class="fg9">x</span>y'),
        ("\x1b[41;97mx\x1b[49my", '<span class="fg15 bg1">x</span><span class="fg15">y</span>'),
        ("\x1b[105mx", '<span class="bg13">x</span>'),
        ("\x1b[38;5;9mx", '<span class="fg9">x</span>'),
        ("\x1b[38;5;196mx", '<span class="fg1">x</span>'),
        ("\x1b[38;5;232mx", '<span class="fg0">x</span>'),
        ("\x1b[48;5;999mx", '<span class="bg15">x</span>'),
        ("\x1b[38;2;250;80;80mx", '<span class="fg9">x</span>'),
        ("\x1b[38:2:0:170:0mx", '<span class="fg2">x</span>'),
        ("\x1b[38;7mx", "x"),
        ("\x1b[38mx", "x"),
        ("\x1b[999mx", "x"),
        ("\x9b31mx", '<span class="fg1">x</span>'),
        ("\x1b[31m\x1b[32mx", '<span class="fg2">x</span>'),
    ],
)
def test_colours_are_classes(text: str, expected: str | None) -> None:
    if expected is None:
        expected = '<span class="italic underline">x</span><span class="underline">y</span>z'
    assert html(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2Jx",
        "\x1b[10;20Hx",
        "\x1b[?25lx",
        "\x1b[6nx",
        "\x1b]0;title\x07x",
        "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\",
        "\x1b]52;c;Y2F0\x07x",
        "\x1bP1$r0m\x1b\\x",
        "\x1b_payload\x1b\\x",
        "\x1b^private\x9cx",
        "\x9d0;title\x9cx",
        "\x90dcs\x9cx",
        "\x1bcx",
        "\x1b(Bx",
        "\x1b#8x",
        "x\x1b",
        "x\x1b[",
        "x\x1b]0;never ends",
        "\x07\x08\x0b\x0c\x00\x7f\x85x",
    ],
)
def test_whatever_else_terminals_do_is_dropped(text: str) -> None:
    assert html(text) == "x"
    assert stripped(text) == "x"


def test_tabs_stay() -> None:
    assert html("a\tb") == "a\tb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10%\r50%\r100%", "100%"),
        ("done\r", "done"),
        ("10%\r\x1b[K", "10%"),
        ("10%\r\x1b[2K\x1b[32mdone\x1b[0m\r", '<span class="fg2">done</span>'),
        ("\r\r", ""),
    ],
)
def test_what_was_written_over_is_not_shown(text: str, shown: str) -> None:
    assert html(text) == shown


def test_a_colour_goes_on_in_the_next_line() -> None:
    first, style = render("\x1b[31mone")
    second, _ = render("two", style)
    assert (first, second) == ('<span class="fg1">one</span>', '<span class="fg1">two</span>')


def test_a_long_line_is_cut() -> None:
    shown = html("<" * (LONGEST + 5))
    assert shown.count("&lt;") == LONGEST
    assert shown.endswith('<span class="faint">… 5 more characters</span>')


_HOSTILE = st.lists(
    st.sampled_from(
        ["\x1b", "[", "]", "31", ";", "m", "\x07", "\x9b", "<", ">", '"', "&", "a", "\r"]
    )
    | st.characters(),
    max_size=40,
).map("".join)


@given(_HOSTILE)
def test_no_line_makes_more_than_spans(text: str) -> None:
    shown = html(text)
    rest = re.sub(r'<span class="[a-z0-9 ]+">|</span>', "", shown)
    assert not set(rest) & set("<>\"'")
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", shown)
    assert shown.count("<span") == shown.count("</span>")
    assert unescape(rest) == stripped(text)
