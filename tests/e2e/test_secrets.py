"""A secret from the command line to the step that names it, and nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.servers import Server, states, step
from tests.e2e.test_forges import Hooked
from tests.support.forge import FakeForge
from tests.support.repositories import BareRepository, serve_http

TOKEN = "tok-Ab3/xY+9'q"
KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQ\n-----END KEY-----\n"

PIPELINE = """
steps:
  use:
    secrets: [TOKEN, KEY]
    run: |
      set -x
      : the token is "$TOKEN"
      set +x
      printf %s "$TOKEN" | sha256sum
      printf %s "$KEY" | sha256sum
      printf 'user:%s' "$TOKEN" | base64
      printf %s "${TOKEN%?????}"; sleep 0.3; printf '%s\\n' "${TOKEN#?????????}"
      printf %s "$KEY"
      echo kept > kept.txt
    artifacts: kept.txt
  other: {run: 'echo "<$TOKEN$KEY>"'}
  fails:
    needs: use
    secrets: TOKEN
    run: rmdir "$TOKEN" || echo "$TOKEN" >> "$CI_OUTPUT"
"""


@pytest.fixture
def hooked(make_server: Callable[..., Server]) -> Iterator[Hooked]:
    """Give a repository of a forge at a server that runs pull requests from forks too."""
    server = make_server(HOOKLINE_LOCAL__ALLOW_UNTRUSTED="true").start()
    root = server.folder / "origin"
    root.mkdir()
    origin = BareRepository(root / "demo.git")
    with FakeForge() as forge, serve_http(root, token="t0ken") as remote:
        place = ("acme/demo", remote.url("demo.git"), "--forge", "github", "--api-url", forge.url)
        server.cli("repo", "add", *place, "--token-stdin", stdin="t0ken\n")
        told = server.cli("hook", "add", "acme/demo")
        url, secret = re.search(r"http://\S+/hooks/\S+", told), re.search(r"whsec_\S+", told)
        assert url is not None
        assert secret is not None
        server.cli("secret", "set", "acme/demo", "TOKEN", stdin=f"{TOKEN}\n")
        server.cli("secret", "set", "acme/demo", "KEY", stdin=KEY)
        yield Hooked(server, "github", origin, url[0], secret[0])


def pull_request(commit: str, base: str, *, fork: bool) -> bytes:
    """Return what a forge sends of a pull request, from a fork or from the repository itself."""
    repository = {"id": 1, "full_name": "acme/demo"}
    head = {"ref": "topic", "sha": commit, "repo": {"id": 2 if fork else 1}}
    pull = {
        "number": 1,
        "title": "A change",
        "draft": False,
        "user": {"login": "eve"},
        "head": head,
        "base": {"ref": "main", "sha": base, "repo": repository},
    }
    body = {"action": "opened", "number": 1, "pull_request": pull, "repository": repository}
    return json.dumps(body).encode()


def readable(path: Path) -> bytes:
    """Return what a file holds, unpacked if it is packed."""
    data = path.read_bytes()
    return data + gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def log_of(server: Server, run: dict[str, Any], name: str) -> str:
    return server.get(f"/api/v1/runs/{run['id']}/steps/{name}/log").text


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_secret_reaches_its_step_and_nothing_else(hooked: Hooked) -> None:
    server = hooked.server
    answer = hooked.push(hooked.origin.commit({".ci.yaml": PIPELINE}))
    run = server.ended(answer.json()["runs"][0]["id"])

    assert states(run) == {"use": "success", "other": "success", "fails": "failure"}
    first, *others = log_of(server, run, "use").splitlines()
    # Shells quote it each in its own way.
    assert first.startswith("+ : the token is ")
    assert "***" in first
    assert others == [
        "+ set +x",
        f"{digest(TOKEN)}  -",
        f"{digest(KEY)}  -",
        "dXNlcjp***",
        "***",
        "***",
        "***",
        "***",
    ]
    assert log_of(server, run, "other") == "<>\n"
    assert "***" in log_of(server, run, "fails")
    reason = 'line 1 of the outputs, "***", is neither name=value nor name<<END'
    assert step(run, "fails")["reason"] == reason

    lines = [line for line in (TOKEN, *KEY.splitlines()) if line]
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    kept = [path for path in files if server.data in path.parents or path == server.log]
    assert {"hookline.db", "server.log"} <= {path.name for path in kept}
    assert any(b"the token is" in readable(path) for path in kept)
    for line in lines:
        assert [path for path in kept if line.encode() in readable(path)] == []
    told = json.dumps(run) + server.cli("secret", "list", "acme/demo", "--json")
    assert not any(line in told for line in lines)


def test_without_its_secret_a_step_says_how_to_set_it(hooked: Hooked) -> None:
    server = hooked.server
    server.cli("secret", "rm", "acme/demo", "KEY")
    answer = hooked.push(hooked.origin.commit({".ci.yaml": PIPELINE}))
    run = server.ended(answer.json()["runs"][0]["id"])

    assert states(run) == {"use": "error", "other": "success", "fails": "blocked"}
    assert (step(run, "use")["cause"], step(run, "use")["reason"]) == (
        "config",
        "acme/demo has no secret `KEY`: hookline secret set acme/demo KEY",
    )
    server.cli("secret", "set", "acme/demo", "KEY", stdin=KEY)
    server.cli("rerun", "acme/demo#1", "--failed", "--wait", check=False)
    assert states(server.run(run["id"]))["use"] == "success"


@pytest.mark.parametrize("fork", [True, False], ids=["fork", "own"])
def test_a_pull_request_from_a_fork_gets_none(hooked: Hooked, *, fork: bool) -> None:
    server = hooked.server
    base = hooked.origin.commit({".ci.yaml": PIPELINE})
    commit = hooked.origin.commit({"new": "x"}, branch="topic", parent=base)
    hooked.origin.point("refs/pull/1/head", commit)
    answer = hooked.send(
        pull_request(commit, base, fork=fork), delivery="pull", event="pull_request"
    )
    run = server.ended(answer.json()["runs"][0]["id"])

    if not fork:
        assert states(run)["use"] == "success"
        return
    assert states(run) == {"use": "error", "other": "success", "fails": "blocked"}
    assert step(run, "use")["reason"].startswith("pull requests from forks get no secrets")
    assert log_of(server, run, "use") == ""
    server.cli("rerun", "acme/demo#1", "--failed", "--wait", check=False)
    assert states(server.run(run["id"]))["use"] == "error"


def test_services_are_refused_where_there_are_no_pods(hooked: Hooked) -> None:
    text = "steps: {a: {run: touch x}, b: {run: x, services: {db: {image: x}}}}\n"
    answer = hooked.push(hooked.origin.commit({".ci.yaml": text}))
    run = hooked.server.ended(answer.json()["runs"][0]["id"])

    assert (run["status"], run["steps"]) == ("error", [])
    assert "services need the Kubernetes executor" in run["reason"]
