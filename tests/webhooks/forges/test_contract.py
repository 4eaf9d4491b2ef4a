"""What every forge must do, whichever it is."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.webhooks.samples import (
    NEW,
    NOW,
    OTHER_SECRET,
    SECRET,
    a_push,
    encoded,
    git_push,
    headers_for,
)
from webhooks.errors import PayloadError, SecretError, SignatureError
from webhooks.forges.base import (
    Events,
    Forge,
    GitNote,
    HttpRequest,
    HttpResponse,
    Later,
    Refused,
    Status,
    StatusState,
    Taken,
    Target,
)
from webhooks.forges.registry import all_forges

FORGES = all_forges()
TARGET = Target("https://forge.example", "octo/demo", "t0ken")


def push_of(forge: str) -> bytes:
    return encoded(git_push("refs/heads/main") if forge == "git" else a_push())


def test_the_registry() -> None:
    assert list(FORGES) == ["github", "gitea", "forgejo", "git"]
    assert all(forge.name == name for name, forge in FORGES.items())


@pytest.mark.parametrize("forge", FORGES.values(), ids=list(FORGES))
class TestEveryForge:
    def test_what_it_signed_is_taken(self, forge: Forge) -> None:
        body = push_of(forge.name)
        headers = headers_for(forge.name, body)
        forge.verify((OTHER_SECRET, SECRET), headers, body, NOW)
        assert isinstance(forge.parse(headers, body), Events)
        assert forge.event_name(headers) == "push"
        assert forge.delivery_id(headers, body) == "one"

    def test_what_it_did_not_sign_is_refused(self, forge: Forge) -> None:
        body = push_of(forge.name)
        headers = headers_for(forge.name, body)
        with pytest.raises(SignatureError):
            forge.verify((SECRET,), headers, body + b" ", NOW)
        with pytest.raises(SignatureError):
            forge.verify((OTHER_SECRET,), headers, body, NOW)
        with pytest.raises(SignatureError):
            forge.verify((SECRET,), {}, body, NOW)

    def test_an_empty_secret_is_refused(self, forge: Forge) -> None:
        body = push_of(forge.name)
        with pytest.raises(SecretError):
            forge.verify(("",), headers_for(forge.name, body), body, NOW)

    def test_a_delivery_without_an_id_is_called_by_its_digest(self, forge: Forge) -> None:
        assert forge.delivery_id({}, b"x") == hashlib.sha256(b"x").hexdigest()

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
    def test_what_is_no_json_object_is_refused(self, forge: Forge, body: bytes) -> None:
        with pytest.raises(PayloadError):
            forge.parse(headers_for(forge.name, body), body)

    @pytest.mark.parametrize("state", StatusState)
    def test_every_state_has_a_report(self, forge: Forge, state: StatusState) -> None:
        told = forge.report(
            TARGET,
            Status(
                commit=NEW, context="ci/demo", state=state, description="Well", url="http://x/1"
            ),
        )
        match told:
            case HttpRequest():
                assert told.url.startswith("https://forge.example/")
                assert told.url.endswith(f"/repos/octo/demo/statuses/{NEW}")
                assert "t0ken" not in repr(told)
                assert "t0ken" in told.headers["Authorization"]
                assert "t0ken" not in json.dumps(dict(told.json))
            case GitNote():
                assert told.commit == NEW
                assert str(state) in told.text

    def test_every_answer_means_something(self, forge: Forge) -> None:
        meant = {status: forge.understand(HttpResponse(status)) for status in range(100, 600)}
        taken = {status for status, how in meant.items() if isinstance(how, Taken)}
        assert all(isinstance(how, Taken | Later | Refused) for how in meant.values())
        assert taken == (set() if forge.name == "git" else set(range(200, 300)))


def test_a_target_does_not_show_its_token() -> None:
    assert "t0ken" not in repr(TARGET)
