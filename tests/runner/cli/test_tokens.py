"""`hookline token` and `hookline deliveries`."""

from __future__ import annotations

import json
import time

import pytest

from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import ScriptedApi


def test_making_a_token(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/tokens", {"id": "abc", "token": "hkl_new"}, 201)
    words = ["token", "create", "laptop", "--scope", "write", "--repo", "a/b", "--expires", "30d"]
    told = ask(*words)
    assert told.stdout == "hkl_new\n"
    assert "its id is abc" in told.stderr
    assert (
        json.loads(ask("token", "create", "x", "--scope", "read", "--json").stdout)["id"] == "abc"
    )
    assert api.bodies("POST", "/tokens") == [
        {"name": "laptop", "scope": "write", "repository": "a/b", "expires_in": 30 * 86400},
        {"name": "x", "scope": "read"},
    ]


@pytest.mark.parametrize(
    ("expires", "told"), [("soon", "write it as"), ("1y", "no unit of time"), ("10ms", "less than")]
)
def test_how_long_it_is_good_for(ask: Invoke, expires: str, told: str) -> None:
    result = ask("token", "create", "x", "--scope", "read", "--expires", expires)
    assert (result.exit_code, told in result.stderr) == (2, True)


def test_listing_tokens(ask: Invoke, api: ScriptedApi) -> None:
    now = time.time()
    plain = {"scope": "read", "repository": None, "expires_at": None, "last_used_at": None}
    plain |= {"revoked_at": None}
    tokens = [
        {**plain, "id": "a", "name": "for ever one"},
        {**plain, "id": "b", "name": "b", "repository": "a/b", "last_used_at": now - 120},
        {**plain, "id": "c", "name": "c", "expires_at": now - 1},
        {**plain, "id": "d", "name": "d", "expires_at": now + 86400},
        {**plain, "id": "e", "name": "e", "revoked_at": now},
    ]
    api.on("GET", "/tokens", {"tokens": tokens})
    lines = ask("token", "list").output.splitlines()
    assert lines[1].split() == ["a", "read", "all", "never", "for", "ever", "for", "ever", "one"]
    assert lines[2].split()[2:6] == ["a/b", "2m", "ago", "for"]
    assert "expired" in lines[3]
    assert lines[4].split()[4][:2] == "20"
    assert "revoked" in lines[5]
    assert len(json.loads(ask("token", "list", "--json").stdout)["tokens"]) == 5


def test_revoking(ask: Invoke, api: ScriptedApi) -> None:
    api.on("DELETE", "/tokens/abc", status=204)
    assert ask("token", "rm", "abc").output == "revoked abc\n"


DELIVERY = {
    "id": "d1",
    "hook": "h1",
    "forge_id": "x",
    "event": "push",
    "received_at": 1_750_000_000.0,
    "outcome": "accepted",
    "reason": None,
}


def test_deliveries(ask: Invoke, api: ScriptedApi) -> None:
    refused = {**DELIVERY, "id": "d2", "event": "", "outcome": "refused", "reason": "bad\x1b[2J"}
    api.on("GET", "/repositories", {"repositories": [{"name": "a/b"}]})
    api.on("GET", "/deliveries?repository=a%2Fb&limit=20", {"deliveries": [DELIVERY, refused]})
    header, good, bad = ask("deliveries").output.splitlines()
    assert header.split() == ["ID", "CAME", "EVENT", "OUTCOME", "REASON"]
    assert (good.split()[0], good.split()[-2:]) == ("d1", ["push", "accepted"])
    assert bad.split()[-2:] == ["refused", "bad"]
    found = ask("deliveries", "--repo", "a/b", "--json")
    assert json.loads(found.stdout)["deliveries"][0] == DELIVERY
    api.on("GET", "/deliveries?repository=c&limit=1", {"deliveries": []})
    told = ask("deliveries", "--repo", "c", "--limit", "1")
    assert told.output == "nothing was delivered for c yet\n"


def test_one_delivery(ask: Invoke, api: ScriptedApi) -> None:
    changes = [
        {"ref": "refs/heads/main", "commit": "c" * 40, "run": "01run", "reason": None},
        {"ref": "refs/heads/x", "commit": "d" * 40, "run": None, "reason": "skipped"},
    ]
    api.on("GET", "/deliveries/d1", {**DELIVERY, "changes": changes})
    lines = ask("deliveries", "d1").output.splitlines()
    assert lines[0].startswith("push at 2025-06-1")
    assert lines[1:] == [
        "accepted",
        "  refs/heads/main at cccccccccc: run 01run",
        "  refs/heads/x at dddddddddd: no run: skipped",
    ]
    assert json.loads(ask("deliveries", "d1", "--json").stdout)["changes"] == changes
    refused = {**DELIVERY, "event": "", "outcome": "refused", "reason": "bad", "changes": []}
    api.on("GET", "/deliveries/d2", refused)
    assert ask("deliveries", "d2").output.splitlines()[1:] == ["refused: bad"]
