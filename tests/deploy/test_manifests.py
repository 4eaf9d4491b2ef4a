"""The plain manifests are the chart's, and can be patched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.deploy.chart import MANIFESTS, manifests
from tests.testbed.tools import binary

OVERLAY = """
resources: [{base}]
images:
  - name: hookline
    newName: registry.test/hookline
    newTag: v2
patches:
  - target: {{kind: Deployment, name: hookline}}
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: {{name: HOOKLINE_RETENTION__KEEP, value: "5"}}
"""


def test_they_are_fresh() -> None:
    assert MANIFESTS.read_text() == manifests(), "run `make manifests`"


def test_they_can_be_patched(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for path in MANIFESTS.parent.iterdir():
        (base / path.name).write_text(path.read_text())
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(OVERLAY.format(base="../base"))
    built = subprocess.run(
        [binary("kubectl"), "kustomize", overlay], capture_output=True, text=True, check=True
    )
    objects = {each["kind"]: each for each in yaml.safe_load_all(built.stdout)}
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.test/hookline:v2"
    assert {"name": "HOOKLINE_RETENTION__KEEP", "value": "5"} in container["env"]
