"""The chart: what it renders, what it refuses, and that the server understands what it is told."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import settings
from runner.kube.client import REQUIRED
from runner.settings import Settings, variable_of
from tests.deploy.chart import CHART, ROOT, TRY_OUT, Object, Refused, helm, rendered, template

SECRETS = {
    ("hookline-sealing", "key"): base64.b64encode(bytes(range(32))).decode(),
    ("hookline-database", "url"): "postgresql://hookline:pw@db/hookline",
    ("hookline-store", "access-key"): "access",
    ("hookline-store", "secret-key"): "secret",
}


def pod_of(objects: Mapping[str, Object], name: str = "hookline") -> Object:
    found: Object = objects[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return found


def environment_of(objects: Mapping[str, Object]) -> dict[str, str]:
    """Return the server's environment with the Secrets' values in it."""
    environment = {}
    for entry in pod_of(objects)["containers"][0]["env"]:
        if "value" in entry:
            environment[entry["name"]] = entry["value"]
        else:
            wanted = entry["valueFrom"]["secretKeyRef"]
            environment[entry["name"]] = SECRETS[wanted["name"], wanted["key"]]
    return environment


def told(values: Mapping[str, Any] | None = None, **how: Any) -> Settings:
    """Return the settings that a server has which is installed with these values."""
    environment = environment_of(rendered(values, **how))
    return settings.load(environ=environment, folder=Path("/nonexistent"))


def egress(values: Mapping[str, Any] | None = None, **how: Any) -> list[Any]:
    found: list[Any] = rendered(values, **how)["NetworkPolicy/hookline-egress"]["spec"]["egress"]
    return found


def ranges(rules: list[Any]) -> dict[str, list[str]]:
    """Return the address ranges of rules, with what each leaves out."""
    blocks = [to["ipBlock"] for rule in rules for to in rule["to"] if "ipBlock" in to]
    return {block["cidr"]: block.get("except") or [] for block in blocks}


def test_helm_finds_nothing_to_complain_of() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART)
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, f"--values={TRY_OUT}")


def test_its_version_is_hooklines() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_server_understands_its_settings() -> None:
    found = told()
    assert found.url == "https://ci.example.com"
    assert (found.executor, found.object_store) == ("kubernetes", "s3://hookline")
    assert (found.listen.host, found.listen.port) == ("0.0.0.0", 8080)
    assert found.database_url.get_secret_value() == "postgresql://hookline:pw@db/hookline"
    assert (found.s3.access_key, found.s3.endpoint) == ("access", None)
    kubernetes = found.kubernetes
    assert (kubernetes.namespace, kubernetes.instance) == ("hookline-runs", "hookline")
    assert (kubernetes.agent_image, kubernetes.default_image) == ("hookline:0.1.0", None)
    assert (kubernetes.concurrency, kubernetes.ahead, kubernetes.cpu) == (50, 2, 0.1)
    assert (kubernetes.memory, kubernetes.max_disk) == (512 * 2**20, 100 * 2**30)


def test_what_the_chart_says_of_a_step_is_what_hookline_says_by_itself() -> None:
    """Who installs with the chart reads docs/settings.md too."""
    by_chart, by_itself = told().kubernetes, Settings().kubernetes
    same = {"agent_image"}
    for name in type(by_itself).model_fields.keys() - same:
        assert getattr(by_chart, name) == getattr(by_itself, name), name


def test_all_values_reach_their_settings() -> None:
    found = told(
        {
            "url": "http://ci.test:8443",
            "image": {"repository": "registry.test/ci", "tag": "v2", "pullPolicy": "Always"},
            "objectStore": {
                "url": "s3://bucket/ci",
                "endpoint": "https://store.test",
                "podEndpoint": "https://store.pods.test",
                "region": "eu-west-1",
                "ca": {"configMap": "ca"},
            },
            "runs": {
                "namespace": "builds",
                "concurrency": 7,
                "ahead": 0,
                "defaultImage": "alpine:3",
                "pullSecrets": ["a", "b"],
                "serviceAccount": "steps",
                "runtimeClass": "gvisor",
                "user": 1000650000,
                "cpu": 0.5,
                "memory": "1Gi",
                "disk": "20Gi",
                "maxCpu": 2.5,
                "maxMemory": "4Gi",
                "maxDisk": "30Gi",
            },
        }
    )
    assert (found.url, found.object_store) == ("http://ci.test:8443", "s3://bucket/ci")
    store = found.s3
    assert (store.endpoint, store.pod_endpoint) == ("https://store.test", "https://store.pods.test")
    assert (store.region, str(store.ca_file)) == ("eu-west-1", "/etc/hookline/ca/ca.crt")
    assert found.kubernetes.model_dump(exclude={"kubeconfig", "context"}) == {
        "namespace": "builds",
        "instance": "hookline",
        "agent_image": "registry.test/ci:v2",
        "default_image": "alpine:3",
        "pull_policy": "Always",
        "pull_secrets": ("a", "b"),
        "service_account": "steps",
        "runtime_class": "gvisor",
        "user": 1000650000,
        "concurrency": 7,
        "ahead": 0,
        "cpu": 0.5,
        "memory": 2**30,
        "disk": 20 * 2**30,
        "max_cpu": 2.5,
        "max_memory": 4 * 2**30,
        "max_disk": 30 * 2**30,
    }


def test_any_other_setting_goes_by_its_name() -> None:
    values = {
        "retention.workspaces": "14d",
        "limits.log": 67108864,
        "retention.sweep": False,
        "log_format": "console",
    }
    found = told({"settings": values})
    assert found.retention.workspaces == 14 * 86400
    assert (found.limits.log, found.retention.sweep) == (64 * 2**20, False)
    assert found.log_format == "console"


def test_without_a_key_the_role_of_the_account_is_used() -> None:
    objects = rendered(
        {"objectStore": {"secret": ""}, "serviceAccount": {"annotations": {"role": "x"}}}
    )
    assert told({"objectStore": {"secret": ""}}).s3.access_key is None
    assert objects["ServiceAccount/hookline"]["metadata"]["annotations"] == {"role": "x"}


def test_sqlite_lies_in_the_data_folder_of_one_server() -> None:
    values = {"database": {"kind": "sqlite"}, "controller": {"data": {"claim": "data"}}}
    found = told(values)
    assert found.database_url.get_secret_value() == "sqlite:////var/lib/hookline/hookline.db"
    objects = rendered(values)
    assert objects["Deployment/hookline"]["spec"]["strategy"] == {"type": "Recreate"}
    assert pod_of(objects)["volumes"][0] == {
        "name": "data",
        "persistentVolumeClaim": {"claimName": "data"},
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "ci.example.com"}, "url"),
        ({"url": "https://ci.example.com/path"}, "url"),
        ({"urll": "https://x"}, "urll"),
        ({"objectStore": {"url": "/srv/objects"}}, "objectStore"),
        ({"objectStore": {"endpoint": "minio:9000"}}, "endpoint"),
        ({"runs": {"memory": 512}}, "memory"),
        ({"runs": {"memory": "512MiB"}}, "memory"),
        ({"runs": {"user": 0}}, "user"),
        ({"runs": {"network": {"except": ["everything"]}}}, "except"),
        ({"runs": {"network": {"dns": {"to": []}}}}, "to"),
        ({"runs": {"namespace": "hookline"}}, "a namespace of their own"),
        ({"settings": {"secret_key": "x"}}, "secret_key"),
        ({"settings": {"Retention.Keep": 1}}, "Retention"),
        ({"controller": {"replicas": 2}, "database": {"kind": "sqlite"}}, "one replica at most"),
        ({"controller": {"replicas": 2, "data": {"claim": "x"}}}, "cannot share a data folder"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: Mapping[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        template(values)


def test_every_value_is_checked_by_the_schema() -> None:
    """Wherever the schema names keys, it names those of values.yaml and takes no others."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)
    for place, part, found in nested(schema, values):
        assert set(part["properties"]) == set(found), place
        assert part["additionalProperties"] is False, place


def nested(schema: Any, values: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    for name, value in values.items():
        part = schema["properties"][name]
        # A mapping of the user's own, such as labels, has no keys of ours.
        if isinstance(value, dict) and "properties" in part and name != "settings":
            yield f"{place}{name}", part, value
            yield from nested(part, value, f"{place}{name}.")


@pytest.mark.parametrize("name", ["hookline", "hookline-try-out"])
def test_every_pod_meets_the_restricted_standard(name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    pod = pod_of(rendered(files=[TRY_OUT]), name)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
    assert pod["enableServiceLinks"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    kinds = {key for volume in pod["volumes"] for key in volume if key != "name"}
    assert kinds <= {"emptyDir", "configMap", "persistentVolumeClaim"}


def test_the_server_may_do_what_it_needs_and_no_more() -> None:
    objects = rendered()
    rules = objects["Role/hookline"]["rules"]
    granted = {
        f"{verb} {resource}"
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {str(permission) for permission in REQUIRED}
    assert {tuple(rule["apiGroups"]) for rule in rules} == {("",)}
    kinds = {name.partition("/")[0] for name in objects}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}
    binding = objects["RoleBinding/hookline"]
    assert binding["metadata"]["namespace"] == "hookline-runs"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "hookline", "namespace": "hookline"}
    ]
    account = objects["ServiceAccount/hookline"]
    assert account["automountServiceAccountToken"] is False
    assert pod_of(objects)["automountServiceAccountToken"] is True


def test_the_namespace_of_runs_takes_restricted_pods_only() -> None:
    objects = rendered()
    labels = objects["Namespace/hookline-runs"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "Namespace/hookline-runs" not in rendered({"runs": {"createNamespace": False}})


def test_the_quota_has_room_for_all_pods_that_may_be() -> None:
    hard = {"requests.cpu": "64"}
    values = {"runs": {"concurrency": 100, "ahead": 5, "quota": {"hard": hard}}}
    found = rendered(values)["ResourceQuota/hookline"]["spec"]["hard"]
    assert found == {
        "pods": "125",
        "count/secrets": "145",
        "count/services": "0",
        "count/persistentvolumeclaims": "0",
        "requests.cpu": "64",
    }
    assert "ResourceQuota/hookline" not in rendered({"runs": {"quota": {"enabled": False}}})


def test_no_container_gets_more_than_a_step_may_ask_for() -> None:
    limits = rendered({"runs": {"maxCpu": 2.5}})["LimitRange/hookline"]["spec"]["limits"]
    assert limits[0]["max"] == {"cpu": "2.5", "memory": "32Gi"}
    # The agent's own limit is two processors.
    few = rendered({"runs": {"maxCpu": 0.5}})["LimitRange/hookline"]["spec"]["limits"]
    assert few[0]["max"]["cpu"] == "2"
    assert "LimitRange/hookline" not in rendered({"runs": {"limitRange": {"enabled": False}}})


def test_nobody_reaches_a_step() -> None:
    deny = rendered()["NetworkPolicy/hookline-default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_step_reaches_names_and_the_internet_and_nothing_near() -> None:
    rules = egress()
    assert [port["port"] for port in rules[0]["ports"]] == [53, 53]
    found = ranges(rules)
    assert {"169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(
        found["0.0.0.0/0"]
    )
    assert found["::/0"] == ["fc00::/7", "fe80::/10"]


def test_an_api_server_with_a_public_address_is_left_out() -> None:
    network = {"apiServers": ["203.0.113.7/32", "2001:db8::7/128"]}
    found = ranges(egress({"runs": {"network": network}}))
    assert "203.0.113.7/32" in found["0.0.0.0/0"]
    assert found["::/0"] == ["fc00::/7", "fe80::/10", "2001:db8::7/128"]


def test_a_store_that_is_near_is_let_through() -> None:
    store = {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [9000]}
    further = [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}]
    network = {"objectStore": store, "internet": False, "egress": further}
    rules = egress({"runs": {"network": network}})
    assert rules[1:] == [
        {"to": store["to"], "ports": [{"protocol": "TCP", "port": 9000}]},
        further[0],
    ]
    unbounded = {"objectStore": {"to": store["to"]}, "internet": False}
    assert egress({"runs": {"network": unbounded}})[1:] == [{"to": store["to"]}]


def test_policies_can_be_left_to_somebody_else() -> None:
    objects = rendered({"runs": {"network": {"enabled": False}}})
    assert not [name for name in objects if name.startswith("NetworkPolicy/")]


def test_the_ingress_has_the_host_of_the_url() -> None:
    assert "Ingress/hookline" not in rendered()
    ingress = {"enabled": True, "className": "nginx", "tls": {"secret": "cert"}}
    values = {"url": "https://ci.test:8443", "ingress": ingress}
    spec = rendered(values)["Ingress/hookline"]["spec"]
    assert (spec["ingressClassName"], spec["rules"][0]["host"]) == ("nginx", "ci.test")
    assert spec["tls"] == [{"hosts": ["ci.test"], "secretName": "cert"}]
    backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "hookline", "port": {"name": "http"}}
    bare = rendered({"ingress": {"enabled": True, "host": "other.test"}})["Ingress/hookline"][
        "spec"
    ]
    assert (bare["rules"][0]["host"], "tls" in bare) == ("other.test", False)


def test_what_belongs_to_the_server_alone() -> None:
    controller = {
        "replicas": 3,
        "labels": {"team": "ci"},
        "annotations": {"note": "x"},
        "nodeSelector": {"pool": "ci"},
        "tolerations": [{"key": "ci", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClass": "high",
    }
    objects = rendered({"controller": controller, "image": {"pullSecrets": ["registry"]}})
    deployment = objects["Deployment/hookline"]["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["type"] == "RollingUpdate"
    template_ = deployment["template"]
    assert template_["metadata"]["labels"]["team"] == "ci"
    assert template_["metadata"]["annotations"] == {"note": "x"}
    pod = template_["spec"]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"pool": "ci"}, "high")
    assert pod["tolerations"] == controller["tolerations"]
    assert pod["affinity"] == controller["affinity"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_two_releases_get_in_nobodys_way() -> None:
    objects = rendered({"runs": {"namespace": "b-runs"}}, name="b", namespace="b")
    (container,) = pod_of(objects, "b-hookline")["containers"]
    assert {"name": "HOOKLINE_KUBERNETES__INSTANCE", "value": "b-hookline"} in container["env"]
    cluster_wide = {name for name in objects if name.startswith("Namespace/")}
    assert cluster_wide == {"Namespace/b-runs"}
    assert {each["metadata"].get("namespace") for each in objects.values()} == {"b", "b-runs", None}


def test_probes_ask_what_there_is() -> None:
    container = pod_of(rendered())["containers"][0]
    asked = {
        name: container[name]["httpGet"]["path"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


def test_to_try_it_out() -> None:
    objects = rendered(files=[TRY_OUT])
    store, sealing = objects["Secret/hookline-store"], objects["Secret/hookline-sealing"]
    decoded = {key: base64.b64decode(text).decode() for key, text in store["data"].items()}
    assert (decoded["access-key"], len(decoded["secret-key"])) == ("hookline", 40)
    key = base64.b64decode(sealing["data"]["key"]).decode()
    assert len(base64.b64decode(key)) == 32
    found = told(files=[TRY_OUT])
    assert found.s3.endpoint == "http://hookline-try-out.hookline.svc:9000"
    assert found.database_url.get_secret_value().startswith("sqlite:")
    assert "Secret/hookline-database" not in objects
    rules = egress(files=[TRY_OUT])
    assert rules[1]["to"][0]["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "hookline-try-out"
    }
    minio = pod_of(objects, "hookline-try-out")["containers"][0]
    assert 'mkdir -p "/data/hookline"' in minio["command"][2]


def test_the_image_sets_nothing_that_is_no_setting() -> None:
    known = {variable_of(name) for name, _ in settings.fields_of()}
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\bHOOKLINE_\w+", text)) <= known
