"""What Debian has to bring to this machine before the tests can run: `python -m tests.testbed.debian`.

The one list of them. It needs nothing but the standard library, so that it can be asked before there
is a virtual environment; it prints the packages that are missing, one a line.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"

TESTBED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""What the testbed runs, and the package behind each: a program, or a path with wildcards."""

IMAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
"""What the images of the testbed are built with."""

TESTS = {
    "git": "git",
    "make": "make",
    "tar": "tar",
    "gcc": "gcc",
    "/usr/include/*/sys/socket.h": "libc6-dev",
    "musl-gcc": "musl-tools",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "/usr/aarch64-linux-gnu/include/stdio.h": "libc6-dev-arm64-cross",
    "qemu-aarch64-static": "qemu-user-static",
    "readelf": "binutils",
    "chromium": "chromium",
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
    "s3cmd": "s3cmd",
}
"""What the other tests cannot do without."""


def there(program: str) -> bool:
    """Say whether the program is on this machine; `sbin` is looked at whatever PATH says."""
    if program.startswith("/"):
        return any(Path("/").glob(program[1:]))
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM}") is not None


def missing(*lists: dict[str, str]) -> tuple[str, ...]:
    """Return the packages of those lists (all of them if none is named) that are not installed."""
    wanted = [pair for each in lists or (TESTBED, IMAGES, TESTS) for pair in each.items()]
    return _each_once(package for program, package in wanted if not there(program))


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


if __name__ == "__main__":
    sys.stdout.writelines(f"{package}\n" for package in missing())
