"""Signed deliveries in, statuses out, with a forge that checks what it is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from runner.database.outbox import FLIGHT_SECONDS
from tests.e2e.servers import PATIENCE, Server, wait_for
from tests.support.forge import FakeForge, HangUp, broken, rate_limited
from tests.support.repositories import BareRepository, serve_http

GOOD = "steps: {test: {run: echo fine}}\n"
BAD = "steps: {test: {run: echo broken; exit 3}}\n"


@dataclass
class Hooked:
    """A repository of a forge, registered with a server, and its hook."""

    server: Server
    forge: str
    origin: BareRepository
    url: str
    secret: str
    told: int = 0

    def push(self, commit: str, before: str = "0" * 40, **changes: Any) -> httpx2.Response:
        """Tell of a push of main as the forge would."""
        self.told += 1
        body = {
            "ref": "refs/heads/main",
            "before": before,
            "after": commit,
            "deleted": False,
            "repository": {"id": 1, "full_name": "acme/demo", "clone_url": "http://evil.test/x"},
            "head_commit": {"id": commit, "message": "A change", "author": {"name": "Ann"}},
            "pusher": {"name": "ann", "login": "ann"},
            "commits": [],
        } | changes
        return self.send(json.dumps(body).encode(), delivery=f"delivery-{self.told}")

    def send(
        self, body: bytes, *, delivery: str, secret: str | None = None, event: str = "push"
    ) -> httpx2.Response:
        """Send a body, signed."""
        digest = hmac.new((secret or self.secret).encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json"}
        if self.forge == "github":
            headers |= {
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": delivery,
                "X-Hub-Signature-256": f"sha256={digest}",
            }
        else:
            headers |= {
                "X-Gitea-Event": event,
                "X-Gitea-Delivery": delivery,
                "X-Gitea-Signature": digest,
            }
        return httpx2.post(self.url, content=body, headers=headers, timeout=30)


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with FakeForge() as made:
        yield made


@pytest.fixture(params=["github", "gitea"])
def hooked(request: pytest.FixtureRequest, server: Server, forge: FakeForge) -> Iterator[Hooked]:
    root = server.folder / "origin"
    root.mkdir()
    origin = BareRepository(root / "demo.git")
    with serve_http(root, token="t0ken") as remote:
        server.cli(
            "repo",
            "add",
            "acme/demo",
            remote.url("demo.git"),
            "--forge",
            request.param,
            "--api-url",
            forge.url,
            "--token-stdin",
            stdin="t0ken\n",
        )
        told = server.cli("hook", "add", "acme/demo")
        url = re.search(r"http://\S+/hooks/\S+", told)
        secret = re.search(r"whsec_\S+", told)
        assert url is not None
        assert secret is not None
        yield Hooked(server, request.param, origin, url[0], secret[0])


def test_a_signed_push_comes_back_as_a_status(hooked: Hooked, forge: FakeForge) -> None:
    commit = hooked.origin.commit({".ci.yaml": GOOD})
    answer = hooked.push(commit)
    assert answer.status_code == 202
    (run,) = answer.json()["runs"]
    assert hooked.server.ended(run["id"])["status"] == "success"
    forge.wait_for(lambda: "success" in forge.states(commit), 30)
    last = forge.statuses(commit)[-1]
    assert last.context == "hookline"
    assert run["id"] in last.target_url
    assert last.description.startswith("Success: 1 step in")


def test_a_failure_is_told_with_step_and_reason(hooked: Hooked, forge: FakeForge) -> None:
    commit = hooked.origin.commit({".ci.yaml": BAD})
    hooked.push(commit)
    forge.wait_for(lambda: "failure" in forge.states(commit), 30)
    assert "test: exit code 3" in forge.statuses(commit)[-1].description


def test_the_same_delivery_and_the_same_act_make_one_run(hooked: Hooked) -> None:
    commit = hooked.origin.commit({".ci.yaml": GOOD})
    first = hooked.push(commit).json()
    hooked.told -= 1
    assert hooked.push(commit).json() == first
    other = hooked.push(commit).json()
    assert other["runs"] == first["runs"]
    assert len(hooked.server.runs("acme/demo")) == 1


def test_bad_input_is_answered_and_leaves_nothing(hooked: Hooked) -> None:
    commit = hooked.origin.commit({".ci.yaml": GOOD})
    wrong = hooked.send(b"{}", delivery="x", secret="wrong")
    strange = httpx2.post(re.sub(r"[^/]+$", "strange", hooked.url), json={})
    assert (wrong.status_code, strange.status_code) == (401, 401)
    assert wrong.text == strange.text
    assert hooked.send(b"not json", delivery="y").status_code == 400
    assert hooked.push(commit, ref="refs/heads/--upload-pack=x").status_code == 400
    assert hooked.push(commit, ref="refs/heads/a\nb").status_code == 400
    ping = hooked.send(b"{}", delivery="z", event="issues")
    assert (ping.status_code, "ignored" in ping.json()) == (202, True)
    assert hooked.server.runs("acme/demo") == []


def test_a_body_over_the_limit_is_refused_before_it_is_read(hooked: Hooked) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(27):
            yield b" " * 2**20

    answer = httpx2.post(
        hooked.url, content=endless(), headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == 413


def test_a_commit_that_is_gone_is_an_error_that_says_so(hooked: Hooked, forge: FakeForge) -> None:
    hooked.origin.commit({".ci.yaml": GOOD})
    gone = "deadbeef" * 5
    (run,) = hooked.push(gone).json()["runs"]
    ended = hooked.server.ended(run["id"])
    assert ended["status"] == "error"
    assert f"commit {gone} is not in the history of refs/heads/main" in ended["reason"]


def test_a_forge_that_is_away_gets_its_status_when_it_is_back(
    hooked: Hooked, forge: FakeForge
) -> None:
    commit = hooked.origin.commit({".ci.yaml": GOOD})
    forge.fault(rate_limited(1), times=1)
    forge.fault(HangUp(), times=2)
    (run,) = hooked.push(commit).json()["runs"]
    hooked.server.ended(run["id"])
    forge.wait_for(lambda: "success" in forge.states(commit), 60)
    assert forge.states(commit)[-1] == "success"


def test_the_outbox_survives_a_restart(hooked: Hooked, forge: FakeForge) -> None:
    commit = hooked.origin.commit({".ci.yaml": GOOD})
    forge.fault(broken(), times=1000)
    (run,) = hooked.push(commit).json()["runs"]
    hooked.server.ended(run["id"])
    hooked.server.kill()
    forge.calm()
    hooked.server.start()
    # Killed while it was being sent, the status stays that sender's own for so long.
    patience = FLIGHT_SECONDS + PATIENCE
    told = wait_for("status", lambda: forge.states(commit)[-1:], patience)
    assert told == ["success"]
