from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.agent.launching import compile_launcher, compiler
from tests.runner.executors.kubernetes.rig import Rig
from tests.support.fake_kube import FakeKube
from tests.support.presigned import presigned_store

if sys.platform != "linux":
    pytest.skip("Pods run on Linux only", allow_module_level=True)


@pytest.fixture(name="launcher", scope="session")
def launcher_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher, compiled."""
    return compile_launcher(tmp_path_factory.mktemp("launcher"), compiler())


@pytest.fixture(name="rig")
def rig_fixture(tmp_path: Path, launcher: Path) -> Iterator[Rig]:
    """A cluster, a store, and no executor yet."""
    with (
        FakeKube() as kube,
        presigned_store() as store,
        Rig(tmp_path, kube, store, launcher) as rig,
    ):
        yield rig
