from __future__ import annotations

from dataclasses import replace

import pytest

from runner.tokens import PREFIX, Scope, Token, digest_of, generate, id_of, mint

NOW = 1_750_000_000.0


def a_token(*scopes: Scope, repository_id: int | None = None) -> Token:
    return mint("ci", scopes, NOW, repository_id=repository_id)[1]


def test_a_token_reads_as_the_module_says() -> None:
    text = generate()
    assert text.startswith(PREFIX)
    assert len(text) == 4 + 43 + 6
    assert text.removeprefix(PREFIX).isalnum()
    assert id_of(text) == text[4:12]


def test_tokens_differ() -> None:
    assert len({generate() for _ in range(100)}) == 100


def test_a_typing_mistake_is_seen_anywhere() -> None:
    text = generate()
    for index, letter in enumerate(text):
        other = "x" if letter != "x" else "y"
        assert id_of(text[:index] + other + text[index + 1 :]) is None
        assert id_of(text[:index] + text[index + 1 :]) is None


@pytest.mark.parametrize("text", ["", "hkl_", "hkl_short", "ghp_" + "a" * 49, "hkl_" + "é" * 49])
def test_other_texts_have_no_id(text: str) -> None:
    assert id_of(text) is None
    assert id_of(generate() + "\ud800") is None
    assert id_of(generate() + "\n") is None


def test_only_the_digest_is_kept() -> None:
    text, token = mint("ci", [Scope.READ], NOW)
    secret = text.removeprefix(PREFIX)[8:]
    assert secret not in repr(token)
    assert token.digest == digest_of(text)
    assert token.id == id_of(text)
    assert token.matches(text)
    assert not token.matches(generate())


def test_each_scope_holds_those_before_it() -> None:
    allowed = {own: [scope for scope in Scope if a_token(own).allows(scope)] for own in Scope}
    assert allowed == {
        Scope.READ: [Scope.READ],
        Scope.WRITE: [Scope.READ, Scope.WRITE],
        Scope.ADMIN: [Scope.READ, Scope.WRITE, Scope.ADMIN],
    }
    assert not a_token().allows(Scope.READ)


def test_a_token_for_one_repository_allows_nothing_else() -> None:
    token = a_token(Scope.ADMIN, repository_id=7)
    assert token.allows(Scope.WRITE, 7)
    assert not token.allows(Scope.READ, 8)
    assert not token.allows(Scope.READ)
    assert a_token(Scope.READ).allows(Scope.READ, 8)


def test_a_token_ends_by_time_or_by_word() -> None:
    _, token = mint("ci", [Scope.READ], NOW, expires_at=NOW + 60)
    assert token.usable(NOW + 59.9)
    assert not token.usable(NOW + 60)
    assert not replace(token, revoked_at=NOW).usable(NOW)
    assert a_token(Scope.READ).usable(NOW + 10**9)
