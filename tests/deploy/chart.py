"""The Helm chart as the real helm renders it, and the plain manifests made from it.

`python -m tests.deploy.chart` writes the manifests anew (`make manifests`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.testbed.tools import binary

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "hookline"
MANIFESTS = ROOT / "deploy" / "manifests" / "hookline.yaml"
TRY_OUT = ROOT / "deploy" / "try-out" / "values.yaml"

NAME = "hookline"
_KUBERNETES = "1.34.0"

Object: TypeAlias = dict[str, Any]

_HEAD = """\
# Made from deploy/helm/hookline with its own values by `make manifests`; change it by a patch in a
# kustomization (kustomization.yaml beside it), or use the chart. docs/operate/kubernetes.md
---
apiVersion: v1
kind: Namespace
metadata:
  name: hookline
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


class Refused(Exception):
    """helm does not render the chart with these values; the message is what it said."""


def helm(*arguments: str | Path) -> str:
    """Run helm and return what it prints; raise `Refused` with what it says if it fails."""
    done = subprocess.run(
        [binary("helm"), *arguments],
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def template(
    values: Mapping[str, Any] | None = None,
    *,
    name: str = NAME,
    namespace: str = NAME,
    files: Sequence[Path] = (),
) -> str:
    """Return the chart's objects as YAML, with `values` over those of `files`."""
    given = [f"--values={path}" for path in files]
    words = [f"--set-json={key}={json.dumps(value)}" for key, value in (values or {}).items()]
    options = [f"--namespace={namespace}", f"--kube-version={_KUBERNETES}"]
    return helm("template", name, CHART, *options, *given, *words)


def rendered(values: Mapping[str, Any] | None = None, **how: Any) -> dict[str, Object]:
    """Return the same as objects by `Kind/name`."""
    found = [each for each in yaml.safe_load_all(template(values, **how)) if each]
    by_name = {f"{each['kind']}/{each['metadata']['name']}": each for each in found}
    assert len(by_name) == len(found), "two objects have one name"
    return by_name


def manifests() -> str:
    """Return the plain manifests: what the chart renders by itself, and the namespace it is in."""
    return _HEAD + template()


if __name__ == "__main__":
    MANIFESTS.write_text(manifests())
