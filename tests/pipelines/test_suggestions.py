"""Suggestions: which word is offered, and when none is."""

from __future__ import annotations

import pytest

from pipelines.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("word", "cure"),
    [
        ("brnach", "did you mean `branch`?"),
        ("BRANCH", "did you mean `branch`?"),
        ("zzz", ""),
        ("", ""),
        ("b" * 5000, ""),
    ],
)
def test_the_nearest_word_is_offered(word: str, cure: str) -> None:
    assert did_you_mean(word, ["branch", "commit"]) == cure
