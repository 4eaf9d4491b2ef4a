"""The secrets that repositories have at a server: sealed in the database, opened for an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.database import secrets
from runner.database.connection import Database
from runner.secrets import Keyring, SecretError, secret_context
from runner.vault import Claimant, NoSuchSecret, SealBroken, bounded, listed, refuse_untrusted


@dataclass(frozen=True)
class DatabaseVault:
    """Opens what `hookline secret set` stored, as it is at that moment."""

    database: Database
    keyring: Keyring

    def open(self, claimant: Claimant, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of a repository's secrets; raises `VaultError`."""
        refuse_untrusted(claimant, names)
        with self.database.read() as tx:
            sealed = secrets.sealed(tx, claimant.repository_id, names)
        if missing := [name for name in names if name not in sealed]:
            cure = f"hookline secret set {claimant.repository} {missing[0]}"
            raise NoSuchSecret(claimant.repository, missing, cure)
        return bounded(
            {name: self._opened(claimant.repository, name, sealed[name]) for name in names}
        )

    def _opened(self, repository: str, name: str, sealed: str) -> str:
        try:
            return self.keyring.decrypt(sealed, secret_context(repository, name))
        except SecretError as error:
            message = f"the {listed([name])} cannot be opened: {error}"
            cure = f"set it again: hookline secret set {repository} {name}"
            raise SealBroken(f"{message}; {cure}") from error
