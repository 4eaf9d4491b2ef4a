from __future__ import annotations

from dataclasses import replace

from runner.database import repositories, tokens
from runner.database.connection import Database
from runner.tokens import Scope, generate, mint
from tests.runner.database.samples import NOW, a_repository


def test_a_token_is_known_by_its_text(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        text, token = mint(
            "ci", [Scope.READ, Scope.WRITE], NOW, repository_id=repository.id, expires_at=NOW + 9
        )
        tokens.add(tx, token)
    with database.read() as tx:
        assert tokens.known(tx, text, NOW) == token
        assert tokens.find(tx, token.id) == token
        assert tokens.known(tx, text, NOW + 9) is None
        assert tokens.known(tx, generate(), NOW) is None
        assert tokens.known(tx, "hkl_nothing", NOW) is None
        assert tokens.listing(tx) == [token]
    assert all(isinstance(scope, Scope) for scope in token.scopes)


def test_a_token_with_the_same_id_but_another_secret_is_not_known(database: Database) -> None:
    text, token = mint("ci", [Scope.READ], NOW)
    with database.write() as tx:
        tokens.add(tx, replace(token, digest="0" * 64))
        assert tokens.known(tx, text, NOW) is None


def test_a_revoked_token_stays_revoked(database: Database) -> None:
    text, token = mint("ci", [Scope.READ], NOW)
    with database.write() as tx:
        tokens.add(tx, token)
        assert tokens.revoke(tx, token.id, NOW + 1)
        assert not tokens.revoke(tx, token.id, NOW + 2)
        assert tokens.known(tx, text, NOW) is None
        kept = tokens.find(tx, token.id)
    assert kept is not None
    assert kept.revoked_at == NOW + 1


def test_uses_are_written_down_once_a_minute(database: Database) -> None:
    text, token = mint("ci", [Scope.READ], NOW)
    with database.write() as tx:
        tokens.add(tx, token)
        assert tokens.use_is_news(token, NOW)
        tokens.used(tx, token, NOW)
        used = tokens.known(tx, text, NOW)
    assert used is not None
    assert used.last_used_at == NOW
    assert not tokens.use_is_news(used, NOW + 59)
    assert tokens.use_is_news(used, NOW + 60)


def test_a_token_goes_with_its_repository(database: Database) -> None:
    with database.write() as tx:
        repository = a_repository(tx)
        _, token = mint("ci", [Scope.READ], NOW, repository_id=repository.id)
        tokens.add(tx, token)
        repositories.remove(tx, repository.id)
        assert tokens.find(tx, token.id) is None
