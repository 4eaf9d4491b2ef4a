"""What goes into Hookline's image, made outside of its build, which has no network in the testbed.

Each part replaces the stage of the Dockerfile that has its name, and is laid out like it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.testbed.tools import TestbedError

ROOT = Path(__file__).parents[2]
# Debian bookworm's, for which the packages are chosen and compiled.
_PYTHON = "3.11"
_EXTRAS = ("kubernetes", "s3", "postgres")
_UNUSED = ("bin", "kubernetes/aio")
_PACKAGES = ("pipelines", "webhooks", "runner")
_METADATA = ("pyproject.toml", "uv.lock", "README.md", "LICENSE")


def sources(root: Path = ROOT) -> Iterator[bytes]:
    """Yield the names and contents of all files of a checkout that the image is made from."""
    below = [path for package in _PACKAGES for path in (root / package).rglob("*")]
    files = [path for path in below if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted([*files, *(root / name for name in _METADATA)]):
        yield str(path.relative_to(root)).encode()
        yield path.read_bytes()


def launcher_part(part: Path) -> Path:
    """Compile the launcher into `part`, with the machine's own C library if musl is not here."""
    compiler = "musl-gcc" if shutil.which("musl-gcc") else "cc"
    made = part / "launcher"
    made.mkdir(parents=True)
    recipe = ROOT / "runner" / "agent" / "launcher.mk"
    _run(["make", "-s", "-f", recipe, f"CC={compiler}", f"OUT={made / 'launcher'}"])
    return part


def packages_part(cache: Path) -> Path:
    """Return a folder below `cache` with everything that Hookline depends on, as in `uv.lock`."""
    told = [(ROOT / "uv.lock").read_bytes(), Path(__file__).read_bytes()]
    part = cache / f"packages-{hashlib.sha256(b''.join(told)).hexdigest()[:16]}"
    if not part.is_dir():
        for old in cache.glob("packages-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            made = Path(folder, "part")
            wanted = Path(folder, "requirements.txt")
            extras = [word for extra in _EXTRAS for word in ("--extra", extra)]
            export = ["export", "--frozen", "--no-dev", "--no-emit-project", *extras]
            _uv([*export, "--output-file", wanted])
            _install(made / "packages", ["--requirements", wanted])
            made.rename(part)
    return part


def sources_part(part: Path) -> Path:
    """Install Hookline itself from this checkout into `part`."""
    with tempfile.TemporaryDirectory() as folder:
        _uv(["build", "--wheel", "--out-dir", folder, ROOT])
        _install(part / "hookline", ["--no-deps", *Path(folder).glob("*.whl")])
    return part


def _install(target: Path, what: Sequence[str | Path]) -> None:
    python = _uv(["python", "find", "--no-python-downloads", _PYTHON]).strip()
    _uv(["pip", "install", "--python", python, "--target", target, *what])
    for unused in _UNUSED:
        shutil.rmtree(target / unused, ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    compiling = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    _run([python, *compiling, "-s", target, "-p", "/opt/hookline/packages", target])


def _uv(arguments: Sequence[str | Path]) -> str:
    uv = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    return _run([uv, "--no-config", *arguments])


def _run(command: Sequence[str | Path]) -> str:
    # A virtual environment that happens to be active is not the Python that was asked for.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"`{' '.join(map(str, command))}` failed:\n{done.stderr.strip()}"
        raise TestbedError(message)
    return done.stdout
