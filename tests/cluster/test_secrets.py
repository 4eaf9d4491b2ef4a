"""A secret on a real cluster: in the variables of the step that names it, and nowhere else."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.servers import Server, pretty, states, step, wait_for
from tests.e2e.test_forges import Hooked
from tests.e2e.test_secrets import KEY, TOKEN, digest, pull_request
from tests.support.cluster import Testbed
from tests.support.forge import FakeForge
from tests.support.repositories import BareRepository, serve_http

LOOK = """
env | grep -cE '^(TOKEN|KEY)=' || true
cat /proc/[0-9]*/environ | grep -c TOKEN= || true
find / -type f -size -2000k ! -path '/proc/*' ! -path '/sys/*' 2>/dev/null | xargs grep -l MIIBV[g] || true
"""
USE = """
printf %s "$TOKEN" | sha256sum
printf %s "$KEY" | sha256sum
set -x
: the token is "$TOKEN"
set +x
printf 'user:%s' "$TOKEN" | base64
printf %s "${TOKEN%?????}"; sleep 0.3; printf '%s\\n' "${TOKEN#?????????}"
printf %s "$KEY"
printf %s "$KEY" | base64
printf '%s\\n' "$TOKEN" | nc -w 1 localhost 7000
echo kept > kept.txt
sleep 10
"""


def pipeline(image: str) -> str:
    """Return steps with and without secrets, and one that names what is not there."""
    hears = {"image": image, "command": ["sh", "-c", "env | grep -c TOKEN; nc -l -p 7000"]}
    hears["ready"] = "netstat -ltn | grep -q :7000"
    steps = {
        "use": {
            "secrets": ["TOKEN", "KEY"],
            "services": {"hears": hears},
            "artifacts": "kept.txt",
            "run": USE,
        },
        "other": {"run": f'echo "<$TOKEN$KEY>"{LOOK}'},
        "leaks": {
            "secrets": "TOKEN",
            "outputs": ["told"],
            "run": 'echo "told=it is $TOKEN" >> $CI_OUTPUT',
        },
        "absent": {"secrets": ["TOKEN", "NOWHERE"], "run": "true"},
    }
    return json.dumps({"steps": steps})


@dataclass(frozen=True)
class Seen:
    """What was there while the steps ran, and what came of both runs."""

    testbed: Testbed
    hooked: Hooked
    pod: dict[str, Any]
    secret: dict[str, Any]
    traces: Mapping[str, bytes]
    run: dict[str, Any]
    fork: dict[str, Any]

    def log(self, run: Mapping[str, Any], name: str) -> str:
        """Return the log of a step."""
        return self.hooked.server.cli("logs", str(run["id"]), name)


@pytest.fixture(scope="module")
def hooked(
    cluster: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Testbed, Hooked]]:
    """A repository of a forge, with two secrets, at a server that runs steps as Pods."""
    folder = tmp_path_factory.mktemp("secrets")
    root = folder / "origin"
    root.mkdir()
    with (
        cluster.fresh_namespace() as testbed,
        FakeForge() as forge,
        serve_http(root, token="t0ken") as remote,
    ):
        server = Server(folder, testbed.settings()).start()
        try:
            origin = BareRepository(root / "demo.git")
            place = ("acme/demo", remote.url("demo.git"), "--forge", "github")
            server.cli(
                "repo", "add", *place, "--api-url", forge.url, "--token-stdin", stdin="t0ken\n"
            )
            told = server.cli("hook", "add", "acme/demo")
            url, secret = re.search(r"http://\S+/hooks/\S+", told), re.search(r"whsec_\S+", told)
            assert url is not None
            assert secret is not None
            server.cli("secret", "set", "acme/demo", "TOKEN", stdin=f"{TOKEN}\n")
            server.cli("secret", "set", "acme/demo", "KEY", stdin=KEY)
            yield testbed, Hooked(server, "github", origin, url[0], secret[0])
        finally:
            server.stop()


@pytest.fixture(scope="module")
def seen(hooked: tuple[Testbed, Hooked]) -> Seen:
    """Let a push and a pull request from a fork be run, and look around while a step has secrets."""
    testbed, told = hooked
    text = pipeline(testbed.busybox)
    base = told.origin.commit({".ci.yaml": text})
    commit = told.origin.commit({"new": "x"}, branch="topic", parent=base)
    told.origin.point("refs/pull/1/head", commit)
    run = told.push(base).json()["runs"][0]["id"]
    body = pull_request(commit, base, fork=True)
    answer = told.send(body, delivery="pull", event="pull_request")
    fork = answer.json()["runs"][0]["id"]

    def kept() -> bool:
        return states(told.server.run(run)).get("use") == "running"

    wait_for("running step", kept)
    pod = named(testbed, "pods", run, "use")
    secret = json.loads(testbed.kubectl("get", "secret", pod["metadata"]["name"], "--output=json"))
    before = {**objects(testbed), **in_cluster(testbed)}
    ended, apart = told.server.ended(run), told.server.ended(fork)
    traces = {**before, **{f"{key} at the end": data for key, data in objects(testbed).items()}}
    return Seen(testbed, told, pod, secret, traces, ended, apart)


def named(testbed: Testbed, kind: str, run: str, name: str) -> dict[str, Any]:
    """Return the object of a run that belongs to a step."""
    found = json.loads(
        testbed.kubectl("get", kind, f"--selector=hookline.dev/run={run}", "--output=json")
    )
    annotated = {one["metadata"]["annotations"]["hookline.dev/step"]: one for one in found["items"]}
    return dict(annotated[name])


def in_cluster(testbed: Testbed) -> dict[str, bytes]:
    """Return what everybody can read in the namespace who may not read Secrets."""
    kinds = ("pods", "events", "configmaps", "serviceaccounts")
    return {kind: testbed.kubectl("get", kind, "--output=json").encode() for kind in kinds}


def objects(testbed: Testbed) -> dict[str, bytes]:
    """Return all objects that are in the store, unpacked if they are packed."""
    client = testbed.s3_client()
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=testbed.bucket, Prefix=f"{testbed.namespace}/"
    )
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    found = {key: client.get_object(Bucket=testbed.bucket, Key=key)["Body"].read() for key in keys}
    return {key: readable(data) for key, data in found.items()}


def readable(data: bytes) -> bytes:
    """Return bytes, and with them what they are if they are gzipped."""
    return data + gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def shown(text: str) -> list[bytes]:
    """Return what a text looks like where it is not hidden: as it is, as JSON, in base64."""
    forms = (text, json.dumps(text)[1:-1], base64.b64encode(text.encode()).decode())
    return [form.encode() for form in dict.fromkeys(forms)]


LINES = [line for line in (TOKEN, *KEY.splitlines()) if "KEY--" not in line]
FORMS = [form for text in (*LINES, KEY) for form in shown(text)]


def holding(traces: Mapping[str, bytes]) -> list[str]:
    """Return the names of what holds a secret."""
    return [name for name, data in traces.items() if any(form in data for form in FORMS)]


def test_a_step_has_the_secrets_that_it_names_and_prints_none(seen: Seen) -> None:
    assert states(seen.run)["use"] == "success", pretty(seen.run)
    first, second, told, *others = seen.log(seen.run, "use").splitlines()
    assert (first, second) == (f"{digest(TOKEN)}  -", f"{digest(KEY)}  -")
    assert told.startswith("+ : the token is ")
    assert "***" in told
    whole = len(base64.b64encode(KEY.encode())) // 76
    assert others[:5] == ["+ set +x", "dXNlcjp***", "***", "***", "***"]
    assert "***" in others[5]
    assert set("".join(others[6 : 7 + whole])) == {"*"}
    assert others[7 + whole :] == []


def test_what_it_tells_a_service_is_hidden_in_that_log_too(seen: Seen) -> None:
    seen.testbed.until_empty()
    told = seen.hooked.server.cli("logs", seen.run["id"], "use", "--service", "hears")
    assert told.splitlines() == ["0", "***"]


def test_another_step_has_none(seen: Seen) -> None:
    assert seen.log(seen.run, "other").splitlines() == ["<>", "0", "0"]


def test_an_output_that_holds_one_is_not_kept(seen: Seen) -> None:
    told = step(seen.run, "leaks")
    assert (told["state"], told["outputs"]) == ("failure", {})
    assert told["reason"].startswith("the output `told` held a secret and was not kept")


def test_one_that_is_not_there_is_named_before_anything_runs(seen: Seen) -> None:
    told = step(seen.run, "absent")
    reason = "acme/demo has no secret `NOWHERE`: hookline secret set acme/demo NOWHERE"
    assert (told["state"], told["cause"], told["reason"]) == ("error", "config", reason)


def test_in_the_cluster_it_is_in_a_secret_of_the_attempt_only(seen: Seen) -> None:
    data = {name: base64.b64decode(value).decode() for name, value in seen.secret["data"].items()}
    assert (data["env.TOKEN"], data["env.KEY"]) == (TOKEN, KEY)
    assert set(data) == {"order", "ca", "env.TOKEN", "env.KEY"}
    labels = seen.secret["metadata"]["labels"]
    assert labels["hookline.dev/run"] == seen.run["id"]
    assert labels == seen.pod["metadata"]["labels"]
    names = {
        container["name"]: {one["name"] for one in container.get("env", ())}
        for container in seen.pod["spec"]["containers"]
    }
    assert names == {
        "agent": {"HOOKLINE_ORDER", "HOOKLINE_CA", "HOOKLINE_MASK_TOKEN", "HOOKLINE_MASK_KEY"},
        "service-hears": set(),
        "step": {"TOKEN", "KEY"},
    }


def test_it_is_gone_from_the_cluster_after_the_run(seen: Seen) -> None:
    seen.testbed.until_empty()


def test_nothing_else_holds_it_neither_then_nor_afterwards(seen: Seen) -> None:
    server = seen.hooked.server
    answers = ("", "/steps/use/log", "/steps/use/log?service=hears", "/steps/leaks/log")
    place = f"/api/v1/runs/{seen.run['id']}"
    traces = {f"{place}{tail}": server.get(place + tail).content for tail in answers}
    traces["page"] = server.get(f"/runs/{seen.run['id']}").content
    traces["secrets"] = server.get("/api/v1/repositories/acme/demo/secrets").content
    traces["cli"] = server.cli("secret", "list", "acme/demo", "--json").encode()
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    kept = [path for path in files if server.data in path.parents or path == server.log]
    assert {"hookline.db", "server.log"} <= {path.name for path in kept}
    traces |= {str(path): readable(path.read_bytes()) for path in kept}
    traces |= seen.traces
    assert {"pods", "events"} <= set(traces)
    assert any(name.endswith("/order") for name in traces)
    assert any(b"the token is" in data for data in traces.values())
    assert holding({"a secret": seen.secret["data"]["env.TOKEN"].encode()}) == ["a secret"]
    assert holding(traces) == []


def test_a_pull_request_from_a_fork_gets_none_and_says_so(seen: Seen) -> None:
    told = seen.fork
    assert told["trust"] == "untrusted"
    assert {name: states(told)[name] for name in ("use", "other", "leaks")} == {
        "use": "error",
        "other": "success",
        "leaks": "error",
    }
    assert step(told, "use")["reason"].startswith("pull requests from forks get no secrets")
    assert seen.log(told, "other").splitlines() == ["<>", "0", "0"]
    server = seen.hooked.server
    server.cli("rerun", told["id"], "--failed", "--wait", check=False)
    again = server.run(told["id"])
    assert (again["attempt"], states(again)["use"]) == (2, "error")


def test_what_is_removed_is_missed_until_it_is_set_again(
    hooked: tuple[Testbed, Hooked], seen: Seen
) -> None:
    server, origin = hooked[1].server, hooked[1].origin
    text = "steps: {use: {secrets: TOKEN, run: 'printf %s \"$TOKEN\" | sha256sum'}}\n"
    assert "TOKEN" in server.cli("secret", "list", "acme/demo")
    server.cli("secret", "rm", "acme/demo", "TOKEN")
    assert "TOKEN" not in server.cli("secret", "list", "acme/demo")
    commit = origin.commit({".ci.yaml": text}, branch="later")
    answer = hooked[1].push(commit, ref="refs/heads/later")
    run = server.ended(answer.json()["runs"][0]["id"])
    assert step(run, "use")["reason"].startswith("acme/demo has no secret `TOKEN`")
    server.cli("secret", "set", "acme/demo", "TOKEN", stdin="another one\n")
    server.cli("rerun", run["id"], "--failed", "--wait")
    assert server.cli("logs", run["id"], "use") == f"{digest('another one')}  -\n"
    seen.testbed.until_empty()
