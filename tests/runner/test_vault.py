"""Who gets which secrets, and what those are told who get none; for every vault alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from pipelines.events import Trust
from runner.database import secrets
from runner.database.connection import Database
from runner.secrets import Keyring, secret_context
from runner.vault import (
    MOST_BYTES,
    Claimant,
    GivenVault,
    NoSecretsForForks,
    NoSuchSecret,
    SealBroken,
    TooMuchSecret,
    Vault,
)
from runner.vault_database import DatabaseVault
from tests.runner.database.samples import NOW, a_repository

KEYRING = Keyring([b"k" * 32])

MakeVault: TypeAlias = Callable[[Mapping[str, str]], tuple[Vault, Claimant]]


def stored(
    database: Database, values: Mapping[str, str], sealed_for: str = "acme/demo"
) -> Claimant:
    with database.write() as tx:
        repository = a_repository(tx)
        for name, value in values.items():
            sealed = KEYRING.encrypt(value, secret_context(sealed_for, name))
            secrets.put(tx, repository.id, name, sealed=sealed, by="ann", at=NOW)
    return Claimant(repository.id, repository.name, Trust.TRUSTED)


@pytest.fixture(params=["given", "database"])
def vault(request: pytest.FixtureRequest, database: Database) -> MakeVault:
    def make(values: Mapping[str, str]) -> tuple[Vault, Claimant]:
        claimant = stored(database, values)
        given = request.param == "given"
        return GivenVault(values) if given else DatabaseVault(database, KEYRING), claimant

    return make


def test_a_step_gets_what_it_names_and_no_more(vault: MakeVault) -> None:
    opened, claimant = vault({"A": "one", "B": "two\nlines\n", "C": "three"})

    assert opened.open(claimant, ("B", "A")) == {"A": "one", "B": "two\nlines\n"}


def test_what_is_not_there_is_named_with_its_cure(vault: MakeVault) -> None:
    opened, claimant = vault({"A": "one"})

    with pytest.raises(NoSuchSecret, match=r"has no secret `B`: hookline .*secret.* B$"):
        opened.open(claimant, ("A", "B"))
    with pytest.raises(NoSuchSecret, match="has no secrets `B`, `C`: hookline"):
        opened.open(claimant, ("B", "C"))


def test_who_is_not_trusted_gets_none(vault: MakeVault) -> None:
    opened, claimant = vault({"A": "one"})
    stranger = Claimant(claimant.repository_id, claimant.repository, Trust.UNTRUSTED)

    with pytest.raises(NoSecretsForForks) as refused:
        opened.open(stranger, ("A", "MISSING"))
    assert str(refused.value) == (
        "pull requests from forks get no secrets, and this step names secrets `A`, `MISSING`: "
        "let it run on other events only, for example with `when: event.fork != true`"
    )


def test_there_is_an_end_to_how_much_a_step_gets(vault: MakeVault) -> None:
    half = "x" * (MOST_BYTES // 2)
    opened, claimant = vault({"A": half, "B": half, "C": "y"})

    assert len(opened.open(claimant, ("A", "B"))) == 2
    with pytest.raises(TooMuchSecret, match=f"have {MOST_BYTES + 1} bytes"):
        opened.open(claimant, ("A", "B", "C"))


def test_the_secrets_of_others_are_not_there(database: Database) -> None:
    claimant = stored(database, {"A": "one"})
    other = Claimant(claimant.repository_id + 1, "acme/other", Trust.TRUSTED)

    with pytest.raises(NoSuchSecret) as refused:
        DatabaseVault(database, KEYRING).open(other, ("A",))
    assert str(refused.value) == ("acme/other has no secret `A`: hookline secret set acme/other A")


def test_what_was_sealed_for_another_place_does_not_open(database: Database) -> None:
    claimant = stored(database, {"A": "hush-hush"}, sealed_for="acme/other")

    with pytest.raises(SealBroken) as refused:
        DatabaseVault(database, KEYRING).open(claimant, ("A",))
    assert str(refused.value).startswith("the secret `A` cannot be opened: ")
    assert str(refused.value).endswith("set it again: hookline secret set acme/demo A")
    assert "hush" not in str(refused.value)


def test_what_another_key_sealed_does_not_open(database: Database) -> None:
    claimant = stored(database, {"A": "one"})

    with pytest.raises(SealBroken, match="which is not given"):
        DatabaseVault(database, Keyring([b"n" * 32])).open(claimant, ("A",))


def test_no_vault_shows_what_it_holds() -> None:
    assert "hush" not in repr(GivenVault({"A": "hush"}))
