from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.agent.launching import compile_launcher, compiler
from tests.runner.agent.pod.pods import Pod
from tests.support.presigned import PresignedStore, presigned_store

if sys.platform != "linux":
    pytest.skip("Pods run on Linux only", allow_module_level=True)


@pytest.fixture(name="program", scope="session")
def program_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher, compiled."""
    return compile_launcher(tmp_path_factory.mktemp("launcher"), compiler())


@pytest.fixture(name="store")
def store_fixture() -> Iterator[PresignedStore]:
    """An object store that knows presigned addresses only."""
    with presigned_store() as store:
        yield store


@pytest.fixture(name="pod")
def pod_fixture(tmp_path: Path, store: PresignedStore, program: Path) -> Iterator[Pod]:
    """A Pod that has nothing to do yet."""
    root = tmp_path / "pod"
    root.mkdir()
    with Pod(root, store, program) as pod:
        yield pod


@pytest.fixture(name="small")
def small_fixture(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", str(place)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here: be root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
