"""The programs of the testbed: built once from their pinned Go modules, kept outside the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PINS = Path(__file__).parent / "go"
_KUBERNETES = "k8s.io/component-base/version"


class TestbedError(Exception):
    """The testbed cannot do what it was asked to; the message says what would be right."""

    __test__ = False


@dataclass(frozen=True)
class Module:
    """A pinned Go module: its folder below `go/`, and the package of each program it gives."""

    name: str
    programs: Mapping[str, str]
    ldflags: str = "-s -w"

    @property
    def pins(self) -> Path:
        return _PINS / self.name

    def digest(self) -> str:
        """Return what changes when the programs would: versions, sums, flags, this machine."""
        told = [self.ldflags, *self.programs.values(), platform.system(), platform.machine()]
        files = [(self.pins / name).read_bytes() for name in ("go.mod", "go.sum")]
        return hashlib.sha256(b"\0".join([*files, *(x.encode() for x in told)])).hexdigest()[:20]


MODULES = (
    Module(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-scheduler",
                "kube-controller-manager",
                "kubelet",
                "kubectl",
            )
        },
        # Without these the servers call themselves v0.0.0-master.
        f"-s -w -X {_KUBERNETES}.gitVersion=v1.34.4 -X {_KUBERNETES}.gitMajor=1"
        f" -X {_KUBERNETES}.gitMinor=34",
    ),
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module("minio", {"minio": "github.com/minio/minio"}),
    Module("mc", {"mc": "github.com/minio/mc"}),
    Module("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"}),
    Module("helm", {"helm": "helm.sh/helm/v3/cmd/helm"}),
)
PROGRAMS = {program: module for module in MODULES for program in module.programs}


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for what the testbed builds and keeps, by the XDG rules."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hookline-testbed"


def binary(name: str) -> Path:
    """Return the program of that name, which is built first if the cache does not hold it.

    Whoever asks while it is being built waits for it. TestbedError if Go is missing or refuses.
    """
    if name not in PROGRAMS:
        message = f"no program {name!r} here; there are {', '.join(sorted(PROGRAMS))}"
        raise TestbedError(message)
    module = PROGRAMS[name]
    kept = cache_folder() / module.digest()
    if not kept.is_dir():
        with locked(cache_folder() / f"{module.digest()}.lock"):
            if not kept.is_dir():
                _build(module, kept)
    return kept / name


def built(name: str) -> bool:
    """Say whether `binary` would answer at once."""
    return (cache_folder() / PROGRAMS[name].digest()).is_dir()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file for the block; whoever else wants it waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(module: Module, kept: Path) -> None:
    """Build all programs of the module beside their place and put them there whole."""
    go = shutil.which("go")
    if go is None:
        message = (
            f"the testbed builds {', '.join(module.programs)} from source and finds no `go`; "
            f"install Go {_go_version(module)} or newer (https://go.dev/dl/)"
        )
        raise TestbedError(message)
    _say(f"building {', '.join(module.programs)} (once; kept in {kept})")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="build-") as folder:
        for program, package in module.programs.items():
            _compile(go, module, package, Path(folder, "made", program))
        Path(folder, "made").rename(kept)
    _say(f"built {', '.join(module.programs)} in {time.monotonic() - begun:.0f} s")


def _compile(go: str, module: Module, package: str, place: Path) -> None:
    flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", module.ldflags]
    done = subprocess.run(
        [go, "build", *flags, "-o", place, package],
        cwd=module.pins,
        env={**os.environ, "CGO_ENABLED": "0"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"`go build {package}` in {module.pins} failed:\n{done.stderr.strip()}"
        raise TestbedError(message)


def _go_version(module: Module) -> str:
    lines = (module.pins / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))


def _say(text: str) -> None:
    sys.stderr.write(f"testbed: {text}\n")
    sys.stderr.flush()
