"""Services beside a step on a real cluster: ready, reached, ended, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.stage import Stage
from tests.e2e.servers import pretty, states, step
from tests.support.cluster import Testbed

WAITING = 60
"""Seconds that a step may wait for its service: more than all of the Pods take to be started."""

GREETING = "hello $(HOME) $$ ${{ event.branch }}"

WEB = """
echo "starting with $GREETING"
mkdir /tmp/www
echo "$GREETING" > /tmp/www/index.html
sleep 2
exec httpd -f -p 8080 -h /tmp/www
"""
STUBBORN = "trap '' TERM; while true; do echo pong | nc -l -p 7000; done"
USE = """
cat left.txt
wget -q -O - http://localhost:8080/
until nc -w 1 localhost 7000 </dev/null | grep pong; do sleep 0.2; done
env | grep -c GREETING || true
echo used > used.txt
"""


def pipeline(image: str, *, all_of_it: bool) -> str:
    """Return steps in a row that use services, and if wanted those whose services fail."""

    def service(script: str, ready: str = "", **more: Any) -> dict[str, Any]:
        told = {"image": image, "command": ["sh", "-c", script], **more}
        return told | ({"ready": ready} if ready else {})

    web = service(WEB, "wget -q -O - http://localhost:8080/", env={"GREETING": GREETING})
    uses = {"needs": "before", "services": {"web": web, "stubborn": service(STUBBORN)}, "run": USE}
    steps: dict[str, Any] = {
        "before": {"run": "echo left > left.txt"},
        "uses": uses,
        "after": {"needs": "uses", "run": "cat used.txt; wget -q -O - localhost:8080 || echo gone"},
    }
    failing = {
        "never": service("echo not yet; exec sleep 900", "false"),
        "early": service("echo no such database; exit 4", "false"),
        "over": service("echo made it", ""),
        "dies": service("touch /tmp/up; sleep 3; echo dying; exit 7", "test -e /tmp/up"),
        "hungry": service(
            "touch /tmp/up; sleep 3; tail /dev/zero",
            "test -e /tmp/up",
            resources={"memory": "16Mi"},
        ),
        "missing": {"image": "docker.io/local/nowhere:1"},
        "no-program": {"image": image, "command": ["nosuchprogram"], "ready": "true"},
    }
    if all_of_it:
        for name, one in failing.items():
            script = "sleep 12; echo went on" if name in ("dies", "hungry") else "echo ran"
            steps[f"with-{name}"] = {"services": {name: one}, "run": script}
    return json.dumps({"steps": steps})


@dataclass(frozen=True)
class Served:
    """What came of the pipeline, and the stage it was played on, which is still there."""

    stage: Stage
    testbed: Testbed
    run: dict[str, Any]


@pytest.fixture(scope="module")
def both(
    cluster: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Served]]:
    """Play it without Pods that are started ahead and with some, at the same time."""
    waiting = f"{WAITING}s"
    with ExitStack() as stack:
        stages: dict[str, tuple[Stage, Testbed, str]] = {}
        for ahead in ("0", "3"):
            testbed = stack.enter_context(cluster.fresh_namespace())
            settings = testbed.settings(
                HOOKLINE_KUBERNETES__AHEAD=ahead, HOOKLINE_LIMITS__WAITING=waiting
            )
            stage = Stage(tmp_path_factory.mktemp("services"), settings)
            stack.callback(stage.server.stop)
            run = stage.open().push(pipeline(testbed.busybox, all_of_it=ahead == "0"))
            stages[ahead] = (stage, testbed, run)
        found = {
            ahead: Served(stage, testbed, stage.ended(run))
            for ahead, (stage, testbed, run) in stages.items()
        }
        # Services would run for ever; and what they wrote is read before their Pod goes.
        for each in found.values():
            each.testbed.until_empty()
        yield found


@pytest.fixture(params=["0", "3"], ids=["not ahead", "ahead"])
def served(request: pytest.FixtureRequest, both: Mapping[str, Served]) -> Served:
    """The pipeline with so many Pods ahead."""
    return both[request.param]


@pytest.fixture
def failed(both: Mapping[str, Served]) -> Served:
    """The pipeline that has the services which fail."""
    return both["0"]


def test_a_step_begins_when_its_services_are_ready_and_reaches_them(served: Served) -> None:
    told = {name: states(served.run)[name] for name in ("before", "uses", "after")}
    assert set(told.values()) == {"success"}, pretty(served.run)
    log = served.stage.log(served.run["id"], "uses").splitlines()
    assert log == ["left", "hello $(HOME) $$ b0", "pong", "0"]
    assert served.stage.log(served.run["id"], "after").splitlines()[::2] == ["used", "gone"]
    assert step(served.run, "uses")["warnings"] == []


def test_what_a_service_wrote_is_shown(served: Served) -> None:
    server, run = served.stage.server, served.run["id"]
    wrote = "starting with hello $(HOME) $$ b0\n"
    assert server.cli("logs", run, "uses", "--service", "web") == wrote
    assert server.get(f"/api/v1/runs/{run}/steps/uses/log", service="web").text == wrote
    assert step(served.run, "uses")["services"] == ["web", "stubborn"]
    page = server.get(f"/runs/{run}").text
    address = f"/api/v1/runs/{run}/steps/uses/log?attempt=1&amp;service=web"
    assert f'web <a href="{address}">log</a>' in page
    told = server.cli("logs", run, "uses", "--service", "other", check=False)
    assert "has no service 'other'; it has web, stubborn" in told


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        (
            "never",
            "error",
            f"waited longer than {WAITING // 60}m: waits until service `never` is ready",
        ),
        ("early", "failure", "service `early` ended with exit code 4 before the step began"),
        (
            "missing",
            "error",
            "the image `docker.io/local/nowhere:1` of service `missing` cannot be pulled",
        ),
        ("no-program", "failure", "service `no-program` cannot be started: "),
    ],
)
def test_a_step_whose_service_does_not_come_up_says_why(
    failed: Served, name: str, state: str, reason: str
) -> None:
    told = step(failed.run, f"with-{name}")
    assert told["state"] == state, pretty(told)
    assert told["reason"].startswith(reason)
    assert failed.stage.log(failed.run["id"], f"with-{name}") == ""
    assert len(told["attempts"]) == 1


@pytest.mark.parametrize(
    ("name", "wrote"),
    [("never", "not yet\n"), ("early", "no such database\n"), ("dies", "dying\n")],
)
def test_what_it_wrote_is_kept_however_it_went(failed: Served, name: str, wrote: str) -> None:
    run = failed.run["id"]
    assert failed.stage.server.cli("logs", run, f"with-{name}", "--service", name) == wrote


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("dies", "service `dies` ended with exit code 7"),
        ("hungry", "service `hungry` needed more memory than its limit of 16777216"),
    ],
)
def test_one_that_dies_while_the_step_runs_is_told_beside_it(
    failed: Served, name: str, warning: str
) -> None:
    told = step(failed.run, f"with-{name}")
    assert (told["state"], told["warnings"]) == ("success", [warning]), pretty(told)
    assert failed.stage.log(failed.run["id"], f"with-{name}") == "went on\n"


def test_one_that_does_its_work_and_ends_is_fine(failed: Served) -> None:
    told = step(failed.run, "with-over")
    assert (told["state"], told["warnings"]) == ("success", []), pretty(told)
