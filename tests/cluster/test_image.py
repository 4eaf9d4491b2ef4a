"""Hookline's image, really built from this checkout and looked into without a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runner.agent.launching import eventually
from tests.testbed.debian import IMAGES, missing
from tests.testbed.image_parts import sources
from tests.testbed.images import Image, busybox, hookline, noshell

USER = 10001
DATA = "/var/lib/hookline"
PATH = "/opt/hookline/bin:/usr/local/bin:/usr/bin:/bin"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Unpacked:
    """An image as a container finds it: its configuration, and its files below `root`."""

    config: dict[str, Any]
    root: Path

    def entering(self, *command: str) -> list[str | Path]:
        """Return what runs a program as the image's user, with nothing of this machine's variables."""
        entered: list[str | Path] = ["chroot", f"--userspec={USER}:{USER}", self.root]
        return [*entered, "/usr/bin/env", "-i", f"PATH={PATH}", f"HOME={DATA}", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the image to its end."""
        entering = self.entering(*command)
        return subprocess.run(entering, capture_output=True, text=True, check=False, timeout=120)


def unpack(image: Image, folder: Path) -> Unpacked:
    """Unpack an OCI archive: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md."""
    archive, root = folder / "archive", folder / "root"
    root.mkdir(parents=True)
    with tarfile.open(image.archive) as file:
        file.extractall(archive, filter="data")

    def blob(named: dict[str, Any]) -> Path:
        return archive / "blobs" / str(named["digest"]).replace(":", "/")

    index = json.loads((archive / "index.json").read_text())["manifests"][0]
    assert index["annotations"]["org.opencontainers.image.ref.name"] == image.name
    manifest = json.loads(blob(index).read_text())
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xpf", blob(layer), "-C", root], check=True)
    assert not list(root.rglob(".wh.*")), "a layer takes files away, which this test cannot do"
    return Unpacked(json.loads(blob(manifest["config"]).read_text())["config"], root)


def can_build() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can build images and enter them")
    if packages := missing(IMAGES):
        pytest.skip(f"install {' '.join(packages)}")


@pytest.fixture(scope="module")
def image() -> Image:
    can_build()
    return hookline()


@pytest.fixture(scope="module")
def unpacked(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    folder = tmp_path_factory.mktemp("image")
    yield unpack(image, folder)
    shutil.rmtree(folder)


def test_it_starts_the_server_and_not_as_root(unpacked: Unpacked) -> None:
    config = unpacked.config
    assert config["User"] == f"{USER}:{USER}"
    assert (config["Entrypoint"], config["Cmd"]) == (["hookline"], ["serve"])
    assert f"PATH={PATH}" in config["Env"]
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert "Volumes" not in config


def test_its_command_line_works(unpacked: Unpacked) -> None:
    told = unpacked.run("hookline", "--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("hookline ")
    versions = unpacked.run("hookline", "version", "--json")
    assert json.loads(versions.stdout)["git"] != "not found"


@pytest.mark.parametrize(
    "module", ["kubernetes.client", "boto3", "psycopg", "backports.zstd", "runner.server"]
)
def test_what_it_needs_is_installed_and_compiled(unpacked: Unpacked, module: str) -> None:
    """Compiled, as its user cannot write what Python compiles."""
    told = unpacked.run(
        "/opt/hookline/bin/python", "-c", f"import {module} as m; print(m.__cached__)"
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("/opt/hookline/packages/")
    assert (unpacked.root / told.stdout.strip().removeprefix("/")).exists()


def test_the_launcher_is_a_static_program(unpacked: Unpacked, tmp_path: Path) -> None:
    """It starts on a root that holds nothing else."""
    launcher = unpacked.root / "opt" / "hookline" / "bin" / "launcher"
    shutil.copy(launcher, tmp_path / "launcher")
    entered: list[str | Path] = ["chroot", tmp_path, "/launcher"]
    assert subprocess.call([*entered, "await", "/launcher"]) == 0
    assert subprocess.call([*entered, "run", "/nowhere"]) == 125
    assert unpacked.run("launcher", "await", "/opt/hookline/bin/launcher").returncode == 0


def test_the_agent_starts_and_puts_the_launcher_in_its_place(unpacked: Unpacked) -> None:
    """With no more of the Pod than a folder to put it into."""
    folders = {name: f"{DATA}/pod/{name}" for name in ("control", "scratch", "workspace", "tmp")}
    assert unpacked.run("mkdir", "-p", *folders.values()).returncode == 0
    places = [word for name, path in folders.items() for word in (f"--{name}", path)]
    ended = ["--termination", f"{DATA}/pod/ended", "--pod", f"{DATA}/pod"]
    command = unpacked.entering("/opt/hookline/bin/hookline-agent", *places, *ended)
    placed = unpacked.root / folders["control"].removeprefix("/") / "launcher"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as agent:
        eventually(placed.exists, "the launcher is in its place")
        agent.kill()
    assert placed.read_bytes() == (unpacked.root / "opt/hookline/bin/launcher").read_bytes()


def test_the_agent_finds_all_that_it_imports_without_site(unpacked: Unpacked) -> None:
    code = "import sys; sys.path.append('/opt/hookline/packages'); import runner.agent.pod.life"
    alone = unpacked.run("/opt/hookline/bin/python", "-I", "-S", "-X", "utf8", "-c", code)
    assert (alone.returncode, alone.stderr) == (0, "")


def test_its_user_can_write_the_data_and_nothing_of_the_programs(unpacked: Unpacked) -> None:
    found = unpacked.run("find", "/opt", "/usr", "/etc", "-writable", "-not", "-type", "l")
    assert found.stdout == ""
    assert unpacked.run("touch", f"{DATA}/file").returncode == 0
    who = unpacked.run("id", "-un")
    assert who.stdout == "hookline\n"


def test_nothing_of_the_build_is_left(unpacked: Unpacked) -> None:
    for program in ("gcc", "make", "uv", "pip"):
        assert shutil.which(program, path=str(unpacked.root / "opt/hookline/bin")) is None
    packages = unpacked.root / "opt" / "hookline" / "packages"
    assert not (packages / "bin").exists()
    assert not (unpacked.root / "source").exists()
    assert not list(packages.glob("tests"))


def test_it_is_small(image: Image, unpacked: Unpacked) -> None:
    sizes = [p.lstat().st_size for p in (unpacked.root / "opt" / "hookline").rglob("*")]
    assert sum(sizes) < 300 * MEGABYTE
    assert image.archive.stat().st_size < 200 * MEGABYTE


def test_an_image_is_built_once() -> None:
    can_build()
    first = busybox()
    inode = first.archive.stat().st_ino
    assert busybox() == first
    assert first.archive.stat().st_ino == inode
    digest = first.name.removeprefix("docker.io/local/busybox:")
    assert first.archive.name == f"busybox-{digest}.tar"


def test_another_source_is_another_image(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "runner/main.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    before = list(sources(tmp_path))
    (tmp_path / "runner" / "__pycache__").mkdir()
    (tmp_path / "runner" / "__pycache__" / "main.pyc").write_text("compiled")
    (tmp_path / "notes").write_text("not in it")
    assert list(sources(tmp_path)) == before
    (tmp_path / "runner" / "main.py").write_text("changed")
    assert list(sources(tmp_path)) != before


def test_a_shell_and_its_programs(tmp_path: Path) -> None:
    can_build()
    made = unpack(busybox(), tmp_path)
    listed = subprocess.check_output(["chroot", made.root, "/bin/sh", "-c", "ls / | wc -l"])
    assert listed.split() == [b"2"]
    assert (made.root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_no_shell(tmp_path: Path) -> None:
    can_build()
    made = unpack(noshell(), tmp_path)
    assert subprocess.check_output(["chroot", made.root, "/bin/echo", "said"]) == b"said\n"
    files = [path for path in made.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files == [made.root / "bin" / "true"]
    assert not (made.root / "bin" / "sh").exists()
