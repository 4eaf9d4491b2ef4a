"""One testbed as a whole: up, down, looked at, and taken apart and put together by tests."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.testbed import certificates, cgroups, control_plane, namespaces, node, object_store
from tests.testbed.debian import TESTBED, missing
from tests.testbed.layout import Layout, lock_file
from tests.testbed.processes import Process, end, launch, recorded, wait_until
from tests.testbed.tools import TestbedError, binary, built, locked

_SECONDS = 90
_LONGEST = 76
_NEEDED = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kubectl",
    "etcd",
    "minio",
    "mc",
)


class Part(StrEnum):
    """What a testbed consists of, in the order in which it starts."""

    ETCD = "etcd"
    MINIO = "minio"
    CONTAINERD = "containerd"
    API = "api"
    CONTROLLER_MANAGER = "controller-manager"
    SCHEDULER = "scheduler"
    KUBELET = "kubelet"


def obstacle() -> str | None:
    """Return why no testbed can run on this machine, or None if one can."""
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        return "the testbed needs Linux and root"
    if absent := missing(TESTBED):
        return f"the testbed needs Debian packages: apt-get install {' '.join(absent)}"
    if shutil.which("go") is None and not all(built(name) for name in _NEEDED):
        return "the testbed needs Go, which its programs are built with"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        return f"the testbed needs the right to make namespaces: {tried.stderr.strip()}"
    return None


@dataclass(frozen=True)
class Cluster:
    """A testbed that was started. Its state is in its folder: this is only the way to it."""

    layout: Layout
    secret_key: str

    @property
    def holder(self) -> Process:
        return recorded(self.layout.folder)[namespaces.NAME]

    def start(self, part: Part) -> None:
        """Start the part if it does not run, and return when it serves."""
        process = recorded(self.layout.folder).get(part)
        if process is None or not process.alive():
            process = self.launch(part)
        wait_until(self._check(part), _SECONDS, f"{part}", process, self.layout.folder)

    def launch(self, part: Part) -> Process:
        """Start the part and do not wait for it."""
        command, environment = self._command(part)
        inside = [*namespaces.enter(self.holder), *command]
        return launch(self.layout.folder, part, inside, environment)

    def stop(self, part: Part) -> None:
        """End the part: it is asked to, and soon made to, as an API server takes a minute."""
        end([recorded(self.layout.folder)[part]], grace=2)

    @contextmanager
    def stopped(self, part: Part) -> Iterator[None]:
        """Do without the part for the block: who asks it is refused."""
        self.stop(part)
        try:
            yield
        finally:
            self.start(part)

    @contextmanager
    def paused(self, part: Part) -> Iterator[None]:
        """Freeze the part for the block: who asks it waits."""
        process = recorded(self.layout.folder)[part]
        process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send(signal.SIGCONT)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Let Pods reach the object store and nothing else for the block, not even each other."""
        before = namespaces.is_cut_off(self.holder)
        namespaces.cut_off(self.layout, self.holder)
        try:
            yield
        finally:
            namespaces.cut_off(self.layout, self.holder, before)

    def load_image(self, archive: Path) -> None:
        """Give the node the image of an OCI archive, under the name that the archive says."""
        node.load_image(self.layout, archive)

    def states(self) -> dict[str, bool]:
        """Say of each part whether its process runs."""
        processes = recorded(self.layout.folder)
        names = [namespaces.NAME, *Part]
        return {name: name in processes and processes[name].alive() for name in names}

    def serves(self) -> bool:
        """Say whether all of it runs and a Pod could be started."""
        return (
            all(self.states().values())
            and all(self._check(part)() for part in Part)
            and control_plane.node_is_ready(self.layout)
        )

    def _command(self, part: Part) -> tuple[list[str], dict[str, str]]:
        commands: dict[Part, Callable[[Layout], list[str]]] = {
            Part.ETCD: control_plane.etcd,
            Part.MINIO: object_store.minio,
            Part.CONTAINERD: node.containerd,
            Part.API: control_plane.api_server,
            Part.CONTROLLER_MANAGER: control_plane.controller_manager,
            Part.SCHEDULER: control_plane.scheduler,
            Part.KUBELET: node.kubelet,
        }
        environment = object_store.environment(self.secret_key) if part is Part.MINIO else {}
        return commands[part](self.layout), environment

    def _check(self, part: Part) -> Callable[[], bool]:
        """Return what asks the part whether it serves."""
        layout = self.layout
        checks: dict[Part, Callable[[], bool]] = {
            # Reached from inside only; the API server's readiness includes it.
            Part.ETCD: lambda: True,
            Part.MINIO: lambda: _answers(layout.node, 9000, "/minio/health/ready"),
            Part.CONTAINERD: lambda: _runtime_answers(layout),
            Part.API: lambda: control_plane.answers(layout, 6443, "/readyz"),
            Part.CONTROLLER_MANAGER: lambda: control_plane.answers(layout, 10257, "/healthz"),
            Part.SCHEDULER: lambda: control_plane.answers(layout, 10259, "/readyz"),
            Part.KUBELET: lambda: control_plane.answers(layout, 10250, "/healthz"),
        }
        return checks[part]


def up(folder: Path) -> Cluster:
    """Return the testbed in that folder, which is started unless it serves. TestbedError if not.

    What is left there of one that crashed is removed first.
    """
    if reason := obstacle():
        raise TestbedError(reason)
    if len(str(folder)) > _LONGEST:
        message = f"{folder} is too long for the sockets in it; choose one of {_LONGEST} characters"
        raise TestbedError(message)
    for name in _NEEDED:
        binary(name)
    with locked(lock_file(folder)):
        cluster = find(folder)
        if cluster is not None and cluster.serves():
            return cluster
        _remove(folder)
        try:
            return _start(folder)
        except BaseException:
            _remove(folder, keep_logs=True)
            raise


def down(folder: Path) -> None:
    """End the testbed in that folder and remove everything it made, whatever state it is in."""
    with locked(lock_file(folder)):
        _remove(folder)


def find(folder: Path) -> Cluster | None:
    """Return the testbed that was started in that folder, whether it runs or not."""
    try:
        told = json.loads((folder / "testbed.json").read_text())
    except FileNotFoundError:
        return None
    return Cluster(Layout(folder, told["number"]), told["secret_key"])


def _start(folder: Path) -> Cluster:
    folder.mkdir(mode=0o700, parents=True)
    holder = namespaces.hold(folder)
    layout = namespaces.connect(folder, holder)
    cluster = Cluster(layout, secrets.token_urlsafe(24))
    told = {"number": layout.number, "secret_key": cluster.secret_key}
    (folder / "testbed.json").write_text(json.dumps(told))
    certificates.write(layout)
    layout.kubeconfig.write_text(certificates.kubeconfig(layout, "admin"))
    control_plane.write_audit_policy(layout)
    node.configure(layout)
    cgroups.make(layout)
    for part in (Part.ETCD, Part.API, Part.CONTAINERD, Part.MINIO):
        cluster.launch(part)
    cluster.start(Part.CONTAINERD)
    node.load_pause(layout)
    cluster.start(Part.MINIO)
    object_store.make_bucket(layout, cluster.secret_key)
    cluster.start(Part.API)
    for part in (Part.CONTROLLER_MANAGER, Part.SCHEDULER, Part.KUBELET):
        cluster.launch(part)
    for part in Part:
        cluster.start(part)
    kubelet = recorded(folder)[Part.KUBELET]
    wait_until(lambda: control_plane.node_is_ready(layout), _SECONDS, "ready node", kubelet, folder)
    return cluster


def _remove(folder: Path, *, keep_logs: bool = False) -> None:
    """Kill what runs, from the kubelet on, which would start it again; then remove what is left."""
    processes = recorded(folder)
    holder = processes.pop(namespaces.NAME, None)
    last = (Part.KUBELET, Part.CONTAINERD)
    end([processes.pop(part) for part in last if part in processes])
    end(processes.values())
    cluster = find(folder)
    _kill_strays(folder, cluster, holder)
    if holder is not None:
        end([holder])
    if cluster is not None:
        namespaces.disconnect(cluster.layout)
        cgroups.remove(cluster.layout)
    logs = folder.with_name(f"{folder.name}-logs")
    shutil.rmtree(logs, ignore_errors=True)
    if keep_logs and (folder / "logs").exists():
        (folder / "logs").rename(logs)
    if folder.exists():
        shutil.rmtree(folder)


def _kill_strays(folder: Path, cluster: Cluster | None, holder: Process | None) -> None:
    """Kill whoever is left: containers, their shims, all that lives in the node's namespaces."""
    until = time.monotonic() + 20
    while strays := _strays(folder, cluster, holder):
        if time.monotonic() > until:
            message = f"these processes do not end: {', '.join(map(str, sorted(strays)))}"
            raise TestbedError(message)
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _strays(folder: Path, cluster: Cluster | None, holder: Process | None) -> set[int]:
    found = cgroups.members(cluster.layout) if cluster else set()
    if holder is not None:
        found |= namespaces.inhabitants(holder) - {holder.pid}
    # A shim says on its command line which containerd is its own: this finds it without a holder.
    socket_of_ours = str(folder / "containerd" / "containerd.sock").encode()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if b"shim" in words[0] and socket_of_ours in words:
                found.add(int(file.parent.name))
    return found


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _runtime_answers(layout: Layout) -> bool:
    """Say whether containerd takes connections and its plugin for kubelets is there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(layout.socket))
        except OSError:
            return False
    with suppress(TestbedError):
        return "io.containerd.grpc.v1" in node.control(layout, "plugins", "list")
    return False
