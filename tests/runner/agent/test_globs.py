from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.agent.errors import GlobError
from runner.agent.globs import LONGEST, parse


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("report.xml", "report.xml", True),
        ("report.xml", "out/report.xml", False),
        ("./report.xml", "report.xml", True),
        ("*.xml", "report.xml", True),
        ("*.xml", "out/report.xml", False),
        ("*", ".hidden", True),
        ("out/*", "out/a/b", False),
        ("out/*/b", "out/a/b", True),
        ("**/*.xml", "report.xml", True),
        ("**/*.xml", "a/b/report.xml", True),
        ("out/**", "out/a/b", True),
        ("out/**/b", "out/b", True),
        ("out/**/b", "out/a/a/b", True),
        ("out/**/b", "out/a/c", False),
        ("dist/", "dist/a/b.whl", True),
        ("dist", "dist/a", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a?c", "a/c", False),
        ("a**c", "abbbc", True),
        ("a**c", "a/c", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a//b", "a/b", True),
        ("**", "any/thing", True),
    ],
)
def test_which_paths_a_pattern_fits(pattern: str, path: str, fits: bool) -> None:
    assert parse(pattern).matches(path) is fits


@pytest.mark.parametrize("pattern", ["", ".", "/etc/passwd", "../x", "a/../b", "x" * (LONGEST + 1)])
def test_a_pattern_that_could_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(GlobError, match="the pattern"):
        parse(pattern)


def test_a_hostile_pattern_takes_no_more_than_its_size_times_that_of_the_path() -> None:
    # With backtracking to every star, these would outlast the machine.
    assert not parse("*a" * 500).matches("a" * 499 + "b" * 3000)
    assert not parse("**/a/" * 200 + "z").matches("/".join("a" * 2000))


_NAMES = st.text("ab.", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
_WILD = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=5))


@given(st.lists(_WILD, min_size=1, max_size=4), st.lists(_NAMES, min_size=1, max_size=5))
@example(["**", "a", "**", "b"], ["a", "b", "a", "b"])
def test_it_agrees_with_a_regular_expression(pattern: list[str], path: list[str]) -> None:
    joined = "/".join(path)
    assert parse("/".join(pattern)).matches(joined) is bool(_twin(pattern).fullmatch(joined + "/"))


def _twin(segments: list[str]) -> re.Pattern[str]:
    wild = {"*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(
            "([^/]+/)*"
            if segment == "**"
            else "".join(wild.get(letter, re.escape(letter)) for letter in segment) + "/"
            for segment in segments
        )
    )
