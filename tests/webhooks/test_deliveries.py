"""Hooks never go without a secret and never show one."""

from __future__ import annotations

import pytest

from tests.webhooks.samples import SECRET, a_delivery, a_hook
from webhooks.deliveries import Hook
from webhooks.errors import SecretError


@pytest.mark.parametrize("secrets", [(), ("",), ("good", " ")])
def test_a_hook_without_a_secret_cannot_be(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SecretError, match="hook h1"):
        Hook("h1", "octo/demo", "github", secrets)


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(a_delivery(a_hook()))
