"""Lists of globs: which of them decides, and what is no list."""

from __future__ import annotations

import pytest

from pipelines.errors import ExpressionError
from pipelines.patterns import MAX_PATTERNS, Patterns


@pytest.mark.parametrize(
    ("patterns", "matching", "others"),
    [
        ([], "main a/b", ""),
        (["main", "release/*"], "main release/1", "dev release/1/2"),
        (["!main"], "dev a/b", "main"),
        (["**", "!docs/**"], "src/a", "docs/a docs/b/c"),
        (["**", "!docs/**", "docs/api/**"], "src/a docs/api/x", "docs/a"),
        (["!docs/**", "**"], "docs/a src/a", ""),
        (["!a", "b"], "b", "a c"),
        (["src/**", "!**/*.md"], "src/a.py", "src/a.md b.md lib/a"),
    ],
)
def test_in_a_list_the_last_match_decides(patterns: list[str], matching: str, others: str) -> None:
    parsed = Patterns.of(patterns)
    assert [text for text in matching.split() if not parsed.matches(text)] == []
    assert [text for text in others.split() if parsed.matches(text)] == []


def test_any_of_the_paths_will_do() -> None:
    patterns = Patterns.of(["src/**", "!src/docs/**"])
    assert patterns.matches_any_path(["README.md", "src/a.py"])
    assert not patterns.matches_any_path(["README.md", "src/docs/a.md"])
    assert not patterns.matches_any_path([])


def test_lists_are_known_by_their_texts() -> None:
    assert Patterns.of(["a", "!b"]) == Patterns.of(("a", "!b"))
    assert hash(Patterns.of(["a"])) != hash(Patterns.of(["!a"]))


@pytest.mark.parametrize(
    ("patterns", "column", "message", "cure"),
    [
        (["a", "b["], 2, "`[` stands alone in the glob `b[`", "`\\[`"),
        (["![z-a]"], 2, "`z-a` is empty", "`a-z`"),
        (["!"], 2, "1 to 256", "`**`"),
        (["!!a"], 2, "does not begin with `!`", "excludes"),
        (["/src/**"], 1, "`/src/**` matches nothing", "top of the repository"),
        (["!./src"], 2, "`!./src` matches nothing", "top of the repository"),
        (["src/"], 4, "`src/` matches nothing", "`src/**`"),
        (["a"] * (MAX_PATTERNS + 1), 1, "101 patterns, at most 100", "`{a,b}`"),
    ],
)
def test_what_is_no_list(patterns: list[str], column: int, message: str, cure: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Patterns.of(patterns)
    assert caught.value.column == column
    assert message in caught.value.message
    assert cure in caught.value.cure
