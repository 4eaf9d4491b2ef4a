"""Every error has a code of its own and the status that its docstring draws."""

from __future__ import annotations

import pytest

from webhooks import errors
from webhooks.errors import PayloadError, WebhookError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
ERRORS = [kind for kind in KINDS if issubclass(kind, WebhookError)]


def test_codes_differ() -> None:
    codes = [kind.code for kind in ERRORS]
    assert len(set(codes)) == len(codes) == 9


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind is not WebhookError])
def test_the_tree_draws_every_error_with_its_status(kind: type[WebhookError]) -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in line]
    assert str(kind.status) in drawn[0]


def test_an_error_may_have_a_finer_code() -> None:
    assert PayloadError("x").code == "payload"
    assert PayloadError("x", code="hostile-ref").code == "hostile-ref"
