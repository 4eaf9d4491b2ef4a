"""Every recorded delivery of GitHub, Gitea and Forgejo, and every published signature, end to end."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.webhooks.samples import EVENT_HEADERS, NOW, SECRET, a_hook
from webhooks.deliveries import Hook
from webhooks.errors import SecretError, SignatureError
from webhooks.forges.registry import all_forges
from webhooks.memory import MemoryInbox
from webhooks.receiver import Receiver
from webhooks.signatures import hex_signature

FOLDER = Path(__file__).parents[2].parent / "shared/payloads"
FORGES = ("github", "gitea", "forgejo")
HERE = FOLDER.is_dir()

pytestmark = [
    pytest.mark.payloads,
    pytest.mark.skipif(not HERE, reason="no recorded deliveries lie beside this checkout"),
]


def listed(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_bytes()) if HERE else []
    return found


RECORDED = [entry for entry in listed("index.json") if entry["file"].split("/")[0] in FORGES]
VECTORS = listed("signature_vectors.json")
STARTING = {"opened", "reopened", "synchronize", "synchronized", "ready_for_review"}


def forge_of(entry: Mapping[str, Any]) -> str:
    return str(entry["file"]).split("/")[0]


def told_headers(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in entry["headers"].items()}


def post(hook: Hook, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    inbox = MemoryInbox([hook])
    receiver = Receiver(inbox, all_forges(), lambda: NOW)
    client = TestClient(Starlette(routes=receiver.routes()))
    typed = {"content-type": "application/json", **headers}
    answer = client.post(f"/hooks/{hook.forge}/{hook.id}", content=body, headers=typed)
    return answer.status_code, answer.json()


def signature(forge: str, mac: str) -> dict[str, str]:
    if forge == "github":
        return {"x-hub-signature-256": f"sha256={mac}"}
    return {f"x-{forge}-signature": mac}


def unsigned(entry: Mapping[str, Any]) -> dict[str, str]:
    kept = told_headers(entry)
    return {name: value for name, value in kept.items() if "signature" not in name}


def expected_ref(event: str, document: Mapping[str, Any]) -> str | None:
    """Which ref should run, judged by the plain rules and not by the code under test."""
    if event == "push" and set(document["after"]) != {"0"}:
        message = (document.get("head_commit") or {}).get("message", "")
        skipped = re.search(r"\[(skip ci|ci skip)\]", message, re.IGNORECASE)
        return None if skipped else str(document["ref"])
    if event == "pull_request" and document["action"] in STARTING:
        return f"refs/pull/{document['number']}/head"
    return None


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: entry["file"])
class TestRecorded:
    def test_well_signed(self, entry: dict[str, Any]) -> None:
        forge = forge_of(entry)
        body = (FOLDER / entry["file"]).read_bytes()
        headers = {**unsigned(entry), **signature(forge, hex_signature(SECRET, body))}
        status, told = post(a_hook(forge), body, headers)
        event = headers.get(EVENT_HEADERS[forge])
        if event is None:
            assert (status, told["error"]) == (400, "payload")
            return
        document = json.loads(body)
        if event == "pull_request" and "pull_request" not in document:
            assert (status, told["error"]) == (400, "payload")
            return
        assert status == 202
        ref = expected_ref(event, document)
        if ref is None:
            assert event in told["ignored"] or "deletion" in told["ignored"]
            assert str(document.get("action", "")) in told["ignored"]
        else:
            assert [run["ref"] for run in told["runs"]] == [ref]

    @pytest.mark.parametrize("mac", ["0" * 64, ""])
    def test_badly_signed(self, entry: dict[str, Any], mac: str) -> None:
        forge = forge_of(entry)
        body = (FOLDER / entry["file"]).read_bytes()
        headers = {**unsigned(entry), **signature(forge, mac)}
        assert post(a_hook(forge), body, headers)[0] == 401

    def test_not_signed(self, entry: dict[str, Any]) -> None:
        forge = forge_of(entry)
        body = (FOLDER / entry["file"]).read_bytes()
        assert post(a_hook(forge), body, unsigned(entry))[0] == 401

    def test_as_it_was_signed(self, entry: dict[str, Any]) -> None:
        """A delivery recorded with its secret verifies, if it was signed with SHA-256 at all."""
        forge = forge_of(entry)
        body = (FOLDER / entry["file"]).read_bytes()
        headers = told_headers(entry)
        strong = {"x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature"} & set(headers)
        hook = a_hook(forge, secrets=(entry["secret"] or SECRET,))
        assert (post(hook, body, headers)[0] != 401) == bool(strong and entry["secret"])


def frozen(vector: Mapping[str, Any]) -> float:
    found = re.search(r"clock at (\d+)([+-]\d+)", vector["note"])
    if found:
        return float(found[1]) + float(found[2])
    return float(1614265330)


SCHEMES = {
    "github": "github",
    "gitea": "gitea",
    "forgejo": "forgejo",
    "standard-webhooks": "git",
    "gitlab-signing": "git",
}
OURS = [vector for vector in VECTORS if vector["scheme"] in SCHEMES]


@pytest.mark.parametrize("vector", OURS, ids=lambda it: f"{it['scheme']}: {it['name']}")
def test_signature_vectors(vector: dict[str, Any]) -> None:
    forge = all_forges()[SCHEMES[vector["scheme"]]]
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = base64.b64decode(vector["body_b64"])
    if vector["expect"] == "reject":
        with pytest.raises((SignatureError, SecretError)):
            forge.verify((vector["secret"],), headers, body, frozen(vector))
        return
    forge.verify((vector["secret"],), headers, body, frozen(vector))
    if "webhook-id" in headers:
        assert forge.delivery_id(headers, body) == headers["webhook-id"]


def test_all_vectors_are_known() -> None:
    """A new scheme among the vectors must be looked at, not passed over."""
    schemes = {vector["scheme"] for vector in VECTORS}
    assert schemes <= {*SCHEMES, "hmac", "bitbucket-cloud", "gitlab-token"}
    plain = [vector for vector in VECTORS if vector["scheme"] == "hmac"]
    for vector in plain:
        body = base64.b64decode(vector["body_b64"])
        assert hex_signature(vector["secret"], body) == vector["headers"]["hex"]
