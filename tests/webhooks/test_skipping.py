"""The five ways to ask that CI be skipped, and what only looks like one."""

from __future__ import annotations

import pytest

from webhooks.skipping import asks_to_skip


@pytest.mark.parametrize(
    "message",
    [
        "Typo [skip ci]",
        "[ci skip] Typo",
        "Typo\n\nlong body\n[no ci]",
        "x[skip actions]y",
        "[ACTIONS Skip]",
        "x" * 100_000 + "[skip ci]",
    ],
)
def test_asks(message: str) -> None:
    assert asks_to_skip(message)


@pytest.mark.parametrize(
    "message", ["", "skip ci", "[skip  ci]", "[skip-ci]", "(skip ci)", "[skip\nci]", "[ci]"]
)
def test_does_not_ask(message: str) -> None:
    assert not asks_to_skip(message)
