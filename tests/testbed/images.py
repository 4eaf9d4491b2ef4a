"""The images that tests run: built here without a registry, kept outside the checkout as archives.

Each function returns at once if the cache holds what it would build, and waits if somebody else is
just building it. The names end in a digest of what went in, so a changed checkout is another image.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.image_parts import ROOT, launcher_part, packages_part, sources, sources_part
from tests.testbed.tools import TestbedError, cache_folder, locked

_RELEASE = "bookworm"
_DEBIAN = ("python3", "ca-certificates", "git")
# What no test reads, and a third of the size.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*")
_SOURCE_LISTS = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
_WITHOUT_SHELL = ("cat", "echo", "env", "false", "id", "ls", "sleep", "touch", "wc")
# Archives of one kind: those of a few checkouts, as an old one may be in use.
_KEPT = 4


@dataclass(frozen=True)
class Image:
    """An image: the name it has once it is imported, and the OCI archive to import."""

    name: str
    archive: Path


def busybox() -> Image:
    """A shell and the usual small programs."""
    program = _program("busybox", "busybox-static")
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)

    def fill(root: Path) -> None:
        _multicall(program, root, "busybox", applets.stdout.split())
        (root / "tmp").mkdir()
        (root / "tmp").chmod(0o1777)

    return _small("busybox", program, fill)


def noshell() -> Image:
    """A few programs, all of them links to one static file, and nothing else: no shell, no libc."""
    program = _program("busybox", "busybox-static")
    return _small(
        "noshell", program, lambda root: _multicall(program, root, "true", _WITHOUT_SHELL)
    )


def python() -> Image:
    """A Debian with Python and git: what Hookline's own image is based on here."""
    lists = next((Path(path) for path in _SOURCE_LISTS if Path(path).exists()), None)
    if lists is None:
        message = (
            f"the testbed's base image is made from Debian's packages; none of {_SOURCE_LISTS}"
        )
        raise TestbedError(message)
    told = [_RELEASE, *_DEBIAN, *_LEFT_OUT, platform.machine()]

    def build(name: str, archive: Path) -> None:
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            root = Path(folder, "root.tar")
            _debian(root, lists)
            _pack(name, archive, root, "PATH=/usr/local/bin:/usr/bin:/bin")

    return _kept("python", [text.encode() for text in told], build)


def hookline() -> Image:
    """Hookline's image from this checkout, by its own Dockerfile."""
    base = python()
    recipe = [Path(__file__).read_bytes(), (ROOT / "Dockerfile").read_bytes(), base.name.encode()]

    def build(name: str, archive: Path) -> None:
        _have(base)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            parts = {
                "launcher": launcher_part(Path(folder, "launcher")),
                "packages": packages_part(_images()),
                "hookline": sources_part(Path(folder, "hookline")),
            }
            contexts = [f"--build-context={stage}={part}" for stage, part in parts.items()]
            _buildah("bud", f"--build-arg=BASE={base.name}", *contexts, "--tag", name, ROOT)
        _buildah("push", name, f"oci-archive:{archive}:{name}")
        _buildah("rmi", name)

    return _kept("hookline", [*recipe, *sources()], build)


def _images() -> Path:
    return cache_folder() / "images"


def _kept(kind: str, inputs: Iterable[bytes], build: Callable[[str, Path], None]) -> Image:
    """Return the image of that kind made from these inputs; `build` gets its name and archive."""
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:16]
    image = Image(f"docker.io/local/{kind}:{digest}", _images() / f"{kind}-{digest}.tar")
    with locked(_images() / f"{kind}.lock"):
        if not image.archive.exists():
            begun = time.monotonic()
            fresh = image.archive.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            build(image.name, fresh)
            fresh.rename(image.archive)
            _forget(kind)
            _say(f"built the image {image.name} in {time.monotonic() - begun:.0f} s")
        else:
            os.utime(image.archive)
    return image


def _forget(kind: str) -> None:
    """Remove the archives of that kind that nobody asked for in the longest time."""
    archives = sorted(_images().glob(f"{kind}-*.tar"), key=lambda path: path.stat().st_mtime)
    for archive in archives[:-_KEPT]:
        archive.unlink()


def _small(kind: str, program: Path, fill: Callable[[Path], None]) -> Image:
    """Return an image of what `fill` puts into a folder, all of it made from one program."""

    def build(name: str, archive: Path) -> None:
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            root = Path(folder, "root")
            root.mkdir()
            fill(root)
            _pack(name, archive, root, "PATH=/bin")

    return _kept(kind, [Path(__file__).read_bytes(), program.read_bytes()], build)


def _multicall(program: Path, root: Path, name: str, applets: Sequence[str]) -> None:
    """Put the program below `bin`, and links to it that tell it what to be."""
    folder = root / "bin"
    folder.mkdir()
    shutil.copy2(program, folder / name)
    for applet in applets:
        if applet != name:
            (folder / applet).symlink_to(name)


def _debian(root: Path, lists: Path) -> None:
    """Write the files of a small Debian as a tar archive; its packages come as this machine's do."""
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    included = f"--include={','.join(_DEBIAN)}"
    command: list[str | Path] = [
        _program("mmdebstrap"),
        "--quiet",
        "--variant=minbase",
        included,
        *options,
    ]
    _run([*command, _RELEASE, root, lists])


def _pack(name: str, archive: Path, root: Path, environment: str) -> None:
    """Write an image of one layer: the content of a folder or of a tar archive."""
    container = _buildah("from", "scratch")
    try:
        _buildah("add", container, root, "/")
        _buildah("config", "--env", environment, container)
        _buildah("commit", "--disable-compression", container, f"oci-archive:{archive}:{name}")
    finally:
        _buildah("rm", container)


def _have(image: Image) -> None:
    """Have the image in buildah's own storage, where a Dockerfile can name it."""
    if not _buildah("images", "--quiet", "--filter", f"reference={image.name}"):
        _buildah("pull", f"oci-archive:{image.archive}")


def _buildah(*arguments: str | Path) -> str:
    """Run buildah where it needs no daemon, on a storage of its own; return what it prints."""
    places: list[str | Path] = ["--root", _images() / "storage", "--runroot", _images() / "run"]
    settings = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    return _run([_program("buildah"), *places, *arguments], settings).strip()


def _program(name: str, package: str = "") -> Path:
    found = shutil.which(name)
    if found is None:
        message = f"the testbed's images need `{name}`: install Debian's {package or name}"
        raise TestbedError(message)
    return Path(found)


def _run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        told = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        message = f"`{' '.join(map(str, command[:8]))} …` failed:\n{told}"
        raise TestbedError(message)
    return done.stdout


def _say(text: str) -> None:
    sys.stderr.write(f"testbed: {text}\n")
    sys.stderr.flush()
