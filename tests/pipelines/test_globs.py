"""Globs: what they match, what is no glob, and how much work matching is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ExpressionError
from pipelines.globs import parse_glob


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("main", "main", "mai maint Main a/main"),
        ("*", "main v1.0 .hidden", "release/1"),
        ("release/*", "release/1 release/", "release release/1/2 prerelease/1"),
        ("v*.*", "v1.2 v. v1.2.3", "v1 1.2 v/1.2"),
        ("**", "main a/b/c", ""),
        ("src/**", "src/a src/a/b.py", "src lib/src/a"),
        ("**/test", "test a/test a/b/test", "atest a/atest test/a"),
        ("**/*.py", "a.py src/a.py a/b/c.py", "a.pyc a.py/b"),
        ("src/**/x.c", "src/x.c src/a/x.c src/a/b/x.c", "src/ax.c srcx.c"),
        ("**/**/x", "x a/x a/b/x", "ax"),
        ("**/a/**/b", "a/b x/a/y/b a/a/b", "a/xb ab"),
        ("a**b", "ab a/b a/x/yb", "a b ac"),
        ("a**/b", "a/b ax/b a/x/b", "ab axb"),
        ("***", "a a/b", ""),
        ("?at", "cat bat", "at /at ccat"),
        ("a?c", "abc", "a/c ac"),
        ("[abc].txt", "a.txt c.txt", "d.txt ab.txt .txt"),
        ("[a-cx]", "a b c x", "d w -"),
        ("[!a-c]", "d -", "a c / dd"),
        ("[^a]b", "bb", "ab /b b"),
        ("[-a]", "- a", "b"),
        ("[a-]", "- a", "b"),
        ("{main,dev}", "main dev", "maindev {main,dev} main,dev"),
        ("{a,b}{1,2}", "a1 a2 b1 b2", "a b1a ab"),
        ("src{,/**}", "src src/a src/a/b", "srca"),
        ("{a/,}**/x", "x a/x a/b/x b/x", "ax"),
        ("*.{ts,js}x", "a.tsx .jsx", "a.ts a/b.tsx"),
        ("{*,a/b}c", "c xc a/bc", "x/c"),
        ("*{,a}*", "x aax", "x/x"),
        ("a,b", "a,b", "a b"),
        (r"\*", "*", "a"),
        (r"\{a,b\}", "{a,b}", "a"),
        (r"{a\,b,c}", "a,b c", "a"),
        (r"\[id\].tsx", "[id].tsx", "i.tsx"),
        (r"\!important", "!important", "important"),
        ("a.b+c(d)|^$", "a.b+c(d)|^$", "aXb+c(d)|^$"),
        ("ü*", "ü übung", "u"),
    ],
)
def test_what_a_glob_matches(glob: str, matching: str, others: str) -> None:
    parsed = parse_glob(glob)
    assert [text for text in matching.split() if not parsed.matches(text)] == []
    assert [text for text in others.split() if parsed.matches(text)] == []


def test_an_empty_text_is_matched_by_stars_alone() -> None:
    assert parse_glob("**").matches("")
    assert parse_glob("*").matches("")
    assert parse_glob("{}").matches("")
    assert not parse_glob("?").matches("")


def test_globs_are_known_by_their_text() -> None:
    assert parse_glob("a*") == parse_glob("a*", 5)
    assert len({parse_glob("a*"), parse_glob("a*", 5), parse_glob("b*")}) == 2
    assert "automaton" not in repr(parse_glob("a*"))


@pytest.mark.parametrize(
    ("glob", "column", "message", "cure"),
    [
        ("", 1, "has 1 to 256 characters, this one has 0", "`**`"),
        ("x" * 257, 1, "has 1 to 256 characters, this one has 257", "`**`"),
        ("!main", 1, "does not begin with `!`", "`not`"),
        ("a[bc", 2, "`[` stands alone", "`\\[`"),
        ("a[]", 2, "`[` stands alone", "a set is"),
        ("a[b/c]", 2, "`[` stands alone", "no `/`"),
        ("ab]", 3, "`]` stands alone", "`\\]`"),
        ("ab\\", 3, "`\\` stands alone", "`\\\\`"),
        ("x[z-a]", 2, "the range `z-a` is empty", "`a-z`"),
        ("a{b,c", 2, "is not closed", "`\\{`"),
        ("a}", 2, "no brace was opened", "`\\}`"),
        ("{a,{b,c}}", 4, "do not nest", "`{a,b}`"),
        ("{a,b}" * 7, 35, "more than 64", "`{a,b}`"),
    ],
)
def test_what_is_no_glob(glob: str, column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_glob(glob)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure


def slowly(glob: str, text: str, *, fresh: bool = True) -> bool:
    """Match by trying everything; `fresh` says whether a segment of the glob begins here."""
    braces = re.search(r"\{([^}]*)\}", glob)
    if braces:
        before, after = glob[: braces.start()], glob[braces.end() :]
        return any(slowly(apart(before, apart(b, after)), text) for b in braces[1].split(","))
    if not glob:
        return not text
    if fresh and glob.startswith("**/"):
        starts = [0, *(place + 1 for place, c in enumerate(text) if c == "/")]
        return any(slowly(glob[3:], text[start:]) for start in starts)
    if glob.startswith("*"):
        rest = glob.lstrip("*")
        runs = range(len(text) + 1)
        if not glob.startswith("**"):
            runs = range(len(text.partition("/")[0]) + 1)
        return any(slowly(rest, text[run:], fresh=False) for run in runs)
    if glob.startswith("\0"):
        return slowly(glob[1:], text, fresh=False)
    if not text:
        return False
    end = glob.index("]") if glob.startswith("[") else 0
    head, rest = glob[: end + 1], glob[end + 1 :]
    fits = {
        "?": text[0] != "/",
        "[ab]": text[0] in "ab",
        "[!a]": text[0] not in "a/",
    }.get(head, text[0] == head)
    return fits and slowly(rest, text[1:], fresh=head == "/")


def apart(left: str, right: str) -> str:
    """Join two pieces so that a star of one and a star of the other do not become `**`."""
    stars = left.endswith("*") and right.startswith("*")
    return f"{left}\0{right}" if stars else left + right


PIECES = ["a", "b", "/", "?", "[ab]", "[!a]", "*", "**", "**/", "/**", "{a,b}", "{,a/}", "{b/a,?}"]


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.text(alphabet="ab/", max_size=8),
)
def test_the_same_is_matched_as_by_trying_everything(glob: str, text: str) -> None:
    plain = re.sub(r"\*{3,}", "**", glob)
    assert parse_glob(glob).matches(text) == slowly(plain, text)


@given(st.text(alphabet=st.sampled_from("ab*?[]{},!-\\/"), max_size=30), st.text(max_size=10))
def test_any_text_is_a_glob_or_an_error(glob: str, text: str) -> None:
    column = 1
    try:
        parse_glob(glob).matches(text)
    except ExpressionError as error:
        column = error.column
    assert 1 <= column <= len(glob) + 1


@pytest.mark.parametrize(
    "glob",
    ["*a" * 100 + "b", "**a" * 80 + "b", "**/" * 80 + "b", "{*a,**a}" * 6 + "b", "?" * 255 + "b"],
)
def test_matching_takes_one_move_for_a_character(glob: str) -> None:
    automaton = parse_glob(glob).automaton
    text = "a" * 2000
    sets_of_states = list(automaton.moves(text))
    assert len(sets_of_states) <= len(text) + 1
    assert max(states.bit_length() for states in sets_of_states) <= automaton.size
    assert automaton.size <= 64 * (len(glob) + 1)
    assert not automaton.accepts(text)


def test_matching_ends_where_nothing_can_match_any_more() -> None:
    assert len(list(parse_glob("b*").automaton.moves("a" * 1000))) == 2
