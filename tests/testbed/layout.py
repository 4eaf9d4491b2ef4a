"""Where everything of one testbed is: its folder, its number, the addresses that follow from them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.tools import cache_folder

NODE_NAME = "testbed"
NUMBERS = range(1, 255)
BUCKET = "hookline"
ACCESS_KEY = "hookline-testbed"
API_SERVICE = "10.96.0.1"


def default_folder() -> Path:
    """Return the folder of the testbed that `make cluster-up` starts.

    It is below the folder for temporary files, not in XDG_RUNTIME_DIR, which is memory and small:
    images and objects would not fit.
    """
    named = os.environ.get("HOOKLINE_TEST_BED")
    return Path(named or Path(tempfile.gettempdir(), "hookline-testbed")).absolute()


def lock_file(folder: Path) -> Path:
    """Return the lock of the testbed in that folder; it is outside, as the folder comes and goes."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return cache_folder() / "locks" / digest


@dataclass(frozen=True)
class Layout:
    """A testbed's places. Addresses are of 198.18.0.0/15, which no real network has (RFC 2544)."""

    folder: Path
    number: int

    @property
    def outside(self) -> str:
        """Address of this machine, as the node sees it."""
        return f"198.18.{self.number}.1"

    @property
    def node(self) -> str:
        """Address of the node, from outside and from its Pods."""
        return f"198.18.{self.number}.2"

    @property
    def pods(self) -> str:
        return f"198.19.{self.number}.0/24"

    @property
    def link(self) -> str:
        return f"hookline{self.number}"

    @property
    def cgroup(self) -> str:
        return f"/hookline-testbed-{self.number}"

    @property
    def api(self) -> str:
        return f"https://{self.node}:6443"

    @property
    def store(self) -> str:
        return f"http://{self.node}:9000"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def audit(self) -> Path:
        """What was asked of the API server, one JSON object a line."""
        return self.folder / "audit.log"

    @property
    def audit_policy(self) -> Path:
        return self.folder / "audit-policy.json"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def containerd(self) -> Path:
        return self.folder / "containerd"

    @property
    def socket(self) -> Path:
        return self.containerd / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        return self.folder / "kubelet"
