"""Where the values of secrets come from when an attempt is started.

VaultError
├── NoSecretsForForks  the run is of a pull request from a fork
├── NoSuchSecret       a step names a secret that is not there
├── TooMuchSecret      the secrets of a step are too large together
└── SealBroken         a secret is there and cannot be opened
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.events import Trust

MOST_BYTES = 512 * 1024
"""Bytes of all secrets of a step: a Pod gets them in one object, which may have 1 MiB."""


class VaultError(Exception):
    """The root of what a vault raises: the step cannot run; no message holds a secret."""

    code = "vault"


class NoSecretsForForks(VaultError):
    """The run is of a pull request from a fork, whose author could print whatever it gets."""

    code = "untrusted"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"pull requests from forks get no secrets, and this step names {listed(names)}: "
            "let it run on other events only, for example with `when: event.fork != true`"
        )


class NoSuchSecret(VaultError):
    """A step names secrets that are not there; `cure` says how the first is set."""

    code = "no-such-secret"

    def __init__(self, whose: str, names: Sequence[str], cure: str) -> None:
        super().__init__(f"{whose} has no {listed(names)}: {cure}")


class TooMuchSecret(VaultError):
    """The secrets of a step are too large together."""

    code = "too-much-secret"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the secrets of this step have {size} bytes, more than the {MOST_BYTES} allowed: "
            "name only those that it needs"
        )


class SealBroken(VaultError):
    """A secret is there and cannot be opened."""

    code = "seal-broken"


@dataclass(frozen=True)
class Claimant:
    """Whose secrets are asked for: a repository, by id and name, and how far its run is trusted."""

    repository_id: int
    repository: str
    trust: Trust


class Vault(Protocol):
    """What opens secrets; called from the threads that start attempts."""

    def open(self, claimant: Claimant, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of the secrets that a step names, by name; raises `VaultError`."""


@dataclass(frozen=True)
class GivenVault:
    """Holds what somebody gave it: the secrets of `hookline run`, whose user is trusted."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def open(self, claimant: Claimant, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of these names; raises `VaultError`."""
        refuse_untrusted(claimant, names)
        if missing := [name for name in names if name not in self.values]:
            cure = f"hookline run --secret {missing[0]}"
            raise NoSuchSecret("this run", missing, cure)
        return bounded({name: self.values[name] for name in names})


def refuse_untrusted(claimant: Claimant, names: Sequence[str]) -> None:
    """Raise `NoSecretsForForks` if whoever asks may not have any."""
    if claimant.trust is not Trust.TRUSTED:
        raise NoSecretsForForks(names)


def bounded(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return secrets that fit into a step; raises `TooMuchSecret`."""
    size = sum(len(value.encode()) for value in values.values())
    if size > MOST_BYTES:
        raise TooMuchSecret(size)
    return values


def listed(names: Sequence[str]) -> str:
    """Return names as a text: secret `A`, or secrets `A`, `B`."""
    return f"secret{'s' if len(names) > 1 else ''} " + ", ".join(f"`{name}`" for name in names)
