from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.executors.base import AttemptId, Outline, Resources, Service
from runner.kube.podspec import Refused, hour, make_pod, make_secret, pod_name
from runner.settings_model import Kubernetes

BORN = 1_795_470_000.0
RUN = "01kb0000000000000000000000"
SETTINGS = Kubernetes(agent_image="registry.example/hookline:1")
PLAIN = Outline(attempt=AttemptId(RUN, "lint", 1), image="python:3.12-slim")
FULL = Outline(
    attempt=AttemptId(RUN, "test (python=3.12)", 3),
    image="registry.example/tests:2",
    resources=Resources(cpu=1.5, memory=2**30, disk=3 * 2**30),
    services=(
        Service(
            name="db",
            image="postgres:16",
            command=("postgres", "-c", "log_statement=$(X) $Y"),
            environment={"POSTGRES_PASSWORD": "a$b"},
            ready="pg_isready -h $HOSTNAME",
            resources=Resources(cpu=0.5, memory=2**28, disk=2**30),
        ),
        Service(name="Cache_1", image="redis:8"),
    ),
    secrets={"DEPLOY_KEY": "open sesame", "token": "t"},
    timeout=90.0,
    grace=2.5,
)
FULL_SETTINGS = Kubernetes(
    agent_image="registry.example/hookline:1",
    instance="blue",
    pull_policy="Always",
    pull_secrets=("registry",),
    service_account="steps",
    runtime_class="gvisor",
    user=4321,
)


def pod(outline: Outline, settings: Kubernetes = SETTINGS, *, go: bool = True) -> dict[str, Any]:
    return make_pod(outline, settings, go=go, waiting=600.0, born=BORN)


def golden(name: str) -> Any:
    return json.loads((Path(__file__).parent / "golden" / f"{name}.json").read_text())


class TestGolden:
    """The files hold what was read and judged once, line by line, against the standard."""

    def test_a_plain_step(self) -> None:
        assert pod(PLAIN) == golden("pod_plain")

    def test_a_step_that_says_all_it_may(self) -> None:
        assert pod(FULL, FULL_SETTINGS, go=False) == golden("pod_full")

    def test_a_secret(self) -> None:
        made = make_secret(
            FULL, FULL_SETTINGS, order_url="https://s3/order?sig", ca="PEM", born=BORN
        )
        assert made == golden("secret")


class TestNames:
    def test_is_the_same_for_the_same_attempt(self) -> None:
        assert pod_name(PLAIN.attempt) == "01kb000000000000-lint-9f7f775eb8b7-1"

    @given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 9_999_999))
    def test_is_a_label_of_dns(self, run: str, step: str, number: int) -> None:
        name = pod_name(AttemptId(run, step, number))
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)

    @given(st.sets(st.builds(AttemptId, st.text(max_size=3), st.text(max_size=3), st.just(1))))
    def test_no_two_attempts_share_one(self, attempts: set[AttemptId]) -> None:
        assert len({pod_name(attempt) for attempt in attempts}) == len(attempts)

    def test_the_attempts_of_a_step_differ(self) -> None:
        again = replace(PLAIN.attempt, number=2)
        assert pod_name(again) != pod_name(PLAIN.attempt)

    def test_services_whose_names_are_no_labels_stay_apart(self) -> None:
        services = tuple(Service(name=name, image="x") for name in ("a_b", "a.b", "a-b", "é"))
        made = pod(replace(PLAIN, services=services))
        names = [container["name"] for container in made["spec"]["containers"]]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z0-9-]{1,63}", name) for name in names)

    def test_an_hour_sorts_like_time(self) -> None:
        assert hour(0.0) == "1970-01-01-00"
        assert hour(BORN) < hour(BORN + 3600)


class TestRefused:
    def test_no_image_at_all(self) -> None:
        with pytest.raises(Refused, match=r"step `lint` names no image.*give the step an `image:`"):
            pod(replace(PLAIN, image=None))

    def test_the_default_image_stands_in(self) -> None:
        made = pod(replace(PLAIN, image=None), Kubernetes(default_image="debian:13"))
        assert made["spec"]["containers"][-1]["image"] == "debian:13"

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            (
                Resources(cpu=8.5),
                (
                    "step `lint` asks for 8.5 of cpu; this instance gives at most 8 "
                    "(kubernetes.max_cpu)"
                ),
            ),
            (
                Resources(memory=2**36),
                (
                    "step `lint` asks for 64 GiB of memory; this instance gives at most 32 GiB "
                    "(kubernetes.max_memory)"
                ),
            ),
            (
                Resources(disk=2**40),
                (
                    "step `lint` asks for 1 TiB of disk; this instance gives at most 100 GiB "
                    "(kubernetes.max_disk)"
                ),
            ),
        ],
    )
    def test_more_than_there_may_be(self, asked: Resources, message: str) -> None:
        with pytest.raises(Refused) as caught:
            pod(replace(PLAIN, resources=asked))
        assert str(caught.value) == message

    def test_a_service_that_asks_for_too_much(self) -> None:
        service = Service(name="db", image="x", resources=Resources(disk=2**40))
        with pytest.raises(Refused, match=r"service `db` of step `lint` asks for 1 TiB of disk"):
            pod(replace(PLAIN, services=(service,)))


class TestResources:
    def test_a_step_that_says_no_processors_may_use_the_most(self) -> None:
        resources = pod(PLAIN)["spec"]["containers"][-1]["resources"]
        assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("100m", "8000m")

    def test_a_service_never_asks_for_more_than_its_limit(self) -> None:
        services = (Service(name="db", image="x"),)
        made = pod(replace(PLAIN, services=services), Kubernetes(disk=1000))
        resources = made["spec"]["containers"][1]["resources"]
        assert resources["requests"]["ephemeral-storage"] == "1000"
        assert resources["limits"]["ephemeral-storage"] == "1000"


class TestTexts:
    def test_nothing_of_a_service_is_expanded(self) -> None:
        service = pod(FULL)["spec"]["containers"][1]
        assert service["command"][-1] == "log_statement=$$(X) $$Y"
        assert service["env"] == [{"name": "POSTGRES_PASSWORD", "value": "a$$b"}]
        assert service["readinessProbe"]["exec"]["command"][-1] == "pg_isready -h $$HOSTNAME"

    def test_no_secret_is_in_the_pod(self) -> None:
        assert "open sesame" not in json.dumps(pod(FULL))

    def test_the_agent_and_not_the_step_gets_the_order(self) -> None:
        agent, *_, step = pod(FULL)["spec"]["containers"]
        assert [v["name"] for v in agent["env"]] == [
            "HOOKLINE_ORDER",
            "HOOKLINE_CA",
            "HOOKLINE_MASK_DEPLOY_KEY",
            "HOOKLINE_MASK_token",
        ]
        assert [v["name"] for v in step["env"]] == ["DEPLOY_KEY", "token"]


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
RESOURCES = st.builds(
    Resources,
    cpu=st.none() | st.floats(0.001, 8.0),
    memory=st.none() | st.integers(1, 2**35),
    disk=st.none() | st.integers(1, 2**36),
)
SERVICES = st.builds(
    Service,
    name=st.text(min_size=1, max_size=50),
    image=st.text(min_size=1),
    command=st.lists(st.text(), max_size=3).map(tuple),
    environment=st.dictionaries(NAMES, st.text(), max_size=3),
    ready=st.text(),
    resources=RESOURCES,
)
OUTLINES = st.builds(
    Outline,
    attempt=st.builds(AttemptId, st.just(RUN), st.text(min_size=1), st.integers(1, 1000)),
    image=st.text(min_size=1),
    resources=RESOURCES,
    services=st.lists(SERVICES, max_size=3).map(tuple),
    secrets=st.dictionaries(NAMES, st.text(), max_size=3),
    timeout=st.floats(1, 86_400),
    grace=st.floats(0, 3600),
)
POD_KEYS = {
    "restartPolicy",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "serviceAccountName",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "securityContext",
    "imagePullSecrets",
    "containers",
    "volumes",
}
EVERY_CONTAINER = {"name", "image", "imagePullPolicy", "env", "resources", "securityContext"}


class TestWhateverTheOutline:
    @given(OUTLINES, st.booleans())
    def test_the_pod_has_the_keys_of_the_allow_list(self, outline: Outline, go: bool) -> None:
        made = pod(outline, go=go)
        assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
        assert set(made["spec"]) == POD_KEYS
        assert ("hookline.dev/go" in made["metadata"]["annotations"]) is go
        agent, *services, step = made["spec"]["containers"]
        assert set(agent) - EVERY_CONTAINER == {"command", "lifecycle", "volumeMounts"}
        assert set(step) - EVERY_CONTAINER == {"command", "workingDir", "volumeMounts"}
        for service in services:
            assert set(service) >= EVERY_CONTAINER
            assert set(service) - EVERY_CONTAINER <= {"command", "readinessProbe"}

    @given(OUTLINES)
    def test_it_meets_the_restricted_standard(self, outline: Outline) -> None:
        spec = pod(outline)["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(k for k in v if k != "name") for v in spec["volumes"]} == {
            "emptyDir",
            "downwardAPI",
        }
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert not {"privileged", "runAsUser"} & set(container["securityContext"])
            assert "ports" not in container

    @given(OUTLINES)
    def test_everything_is_bounded(self, outline: Outline) -> None:
        spec = pod(outline)["spec"]
        for container in spec["containers"]:
            for bound in ("requests", "limits"):
                assert set(container["resources"][bound]) == {"cpu", "memory", "ephemeral-storage"}
        for volume in spec["volumes"]:
            assert volume.get("emptyDir", {"sizeLimit": "1"})["sizeLimit"]
        assert spec["activeDeadlineSeconds"] > outline.timeout + outline.grace
        assert spec["terminationGracePeriodSeconds"] > outline.grace

    @given(OUTLINES)
    def test_only_the_agent_has_the_folder_of_the_pod(self, outline: Outline) -> None:
        agent, *others = pod(outline)["spec"]["containers"]
        mounted = {mount["name"] for mount in agent["volumeMounts"]}
        assert mounted == {"control", "scratch", "workspace", "pod", "tmp"}
        for other in others[:-1]:
            assert "volumeMounts" not in other
        step = {m["name"]: m.get("readOnly", False) for m in others[-1]["volumeMounts"]}
        assert step == {"control": True, "scratch": False, "workspace": False}
