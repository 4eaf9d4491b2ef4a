"""A kubelet for `fake_kube`: every Pod that is created is run, with processes of this machine.

The agent and the launcher are the real ones; folders stand in for the volumes, and the containers
of a Pod are told apart by their names only. A service runs its `command`.

    with FakeKube() as kube, FakeKubelet(kube, folder, launcher) as kubelet:
        …

What may go wrong is said before a Pod is created: `held` (nothing is run, as on a full cluster),
`mute` (its log cannot be read), `blind` (what ends is not told in its status), `stubborn` (what is
deleted stays), `absent` (images that cannot be pulled).
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import runner.agent.pod
from runner.executors import host
from runner.kube.podspec import AGENT_CONTAINER, STEP_CONTAINER
from tests.support.fake_kube import FakeKube, container_status, timestamp
from tests.support.kube_objects import Json

AGENT = Path(runner.agent.pod.__file__).parent / "__main__.py"
_VOLUMES = ("control", "scratch", "workspace", "pod", "tmp")
_PATIENCE = 60.0
_TURN = 0.01


class FakeKubelet:
    """Runs the Pods of a fake API server; all that runs has ended after the `with`."""

    def __init__(
        self, kube: FakeKube, root: Path, launcher: Path, interpreter: tuple[str, ...]
    ) -> None:
        self.held = threading.Event()
        self.mute = threading.Event()
        self.blind = threading.Event()
        self.stubborn = threading.Event()
        self.absent: set[str] = set()
        self.kube = kube
        self.root = root
        self.launcher = launcher
        self.interpreter = interpreter
        self.running: dict[str, RunningPod] = {}
        kube.lingering = True
        kube.on_create(self._created)
        kube.on_patch(self._patched)
        kube.on_delete(self._deleted)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pod in list(self.running.values()):
            pod.kill()
        for pod in list(self.running.values()):
            pod.join()

    def pod(self, name: str) -> RunningPod:
        """Return a Pod that was created, also when it has ended."""
        return self.running[name]

    def admit(self, name: str) -> None:
        """Run a Pod that was held."""
        self.running[name].begin()

    def _created(self, pod: Json) -> None:
        name = pod["metadata"]["name"]
        with self.kube.changed:
            # An earlier Pod of this name took its logs with it.
            for container in pod["spec"]["containers"]:
                self.kube.logs.pop((name, container["name"]), None)
        running = RunningPod(self, pod, self.root / f"{name}-{pod['metadata']['uid'][:8]}")
        self.running[name] = running
        if self.held.is_set():
            condition = {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient memory.",
            }
            self.kube.set_status(name, {"phase": "Pending", "conditions": [condition]})
        else:
            running.begin()

    def _patched(self, pod: Json) -> None:
        self.running[pod["metadata"]["name"]].annotate(pod["metadata"]["annotations"])

    def _deleted(self, pod: Json) -> None:
        running = self.running.get(pod["metadata"]["name"])
        if self.stubborn.is_set():
            return
        if running is not None and running.uid == pod["metadata"]["uid"]:
            grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
            threading.Thread(target=running.end, args=(grace,), daemon=True).start()


class RunningPod:
    """A Pod whose containers are processes, by the containers' names in `processes`."""

    def __init__(self, kubelet: FakeKubelet, pod: Json, root: Path) -> None:
        self.name = pod["metadata"]["name"]
        self.uid = pod["metadata"]["uid"]
        self.manifest = pod
        self.root = root
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.reasons: dict[str, str] = {}
        """What is told as the reason of a container's end, such as `OOMKilled`."""
        self._kubelet = kubelet
        self._kube = kubelet.kube
        self._spec = pod["spec"]
        self._version = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"pod {self.name}", daemon=True)
        self._readers: dict[str, threading.Thread] = {}
        for volume in _VOLUMES:
            (root / volume).mkdir(parents=True)
        self.annotate(pod["metadata"]["annotations"])

    def begin(self) -> None:
        """Start its containers."""
        self._thread.start()

    def annotate(self, annotations: Mapping[str, str]) -> None:
        """Show annotations as the kubelet does: a new folder, put in place by one rename."""
        self._version += 1
        folder = self.root / "pod" / f"..{self._version}"
        folder.mkdir()
        lines = [f'{name}="{value}"' for name, value in annotations.items()]
        (folder / "annotations").write_text("\n".join(lines))
        fresh = self.root / "pod" / "..data_tmp"
        fresh.symlink_to(folder.name)
        fresh.replace(self.root / "pod" / "..data")
        with suppress(FileExistsError):
            (self.root / "pod" / "annotations").symlink_to("..data/annotations")

    def end(self, grace: float) -> None:
        """Send SIGTERM to all of it, SIGKILL after its grace, then take the Pod away."""
        self._ending.set()
        self._signal(signal.SIGTERM)
        until = time.monotonic() + grace
        while self._lives() and time.monotonic() < until:
            time.sleep(_TURN)
        self.kill()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        found = self._kube.pods.get(self.name)
        if found is not None and found["metadata"]["uid"] == self.uid:
            self._kube.remove(self.name)

    def kill(self, container: str | None = None, reason: str = "") -> None:
        """Kill one container's process for a reason, or all of them."""
        self._ending.set() if container is None else None
        if container is not None:
            self.reasons[container] = reason
        self._signal(signal.SIGKILL, container)

    def join(self) -> None:
        """Wait until nothing of it runs."""
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    # Its life

    def _live(self) -> None:
        self._await(self._has_secret)
        missing = [c for c in self._spec["containers"] if c["image"] in self._kubelet.absent]
        if missing:
            for container in missing:
                words = f'Back-off pulling image "{container["image"]}": not found'
                self._kube.wait(self.name, container["name"], "ImagePullBackOff", words)
        self._run(AGENT_CONTAINER, self._agent())
        self._await(lambda: (self.root / "control" / "launcher").exists() or self._ended("agent"))
        for container in self._spec["containers"][1:]:
            if not self._ending.is_set() and container not in missing:
                self._run(container["name"], self._command(container))
        self._watch_over()

    def _watch_over(self) -> None:
        """Tell of readiness and of ends until all containers have ended."""
        told: set[str] = set()
        while len(told) < len(self.processes):
            for name, process in self.processes.items():
                if name not in told and process.poll() is not None:
                    told.add(name)
                    self._tell_end(name, process.returncode)
            self._probe()
            time.sleep(_TURN)

    def _has_secret(self) -> bool:
        return self.name in self._kube.secrets

    def _await(self, holds: Callable[[], bool]) -> None:
        while not holds() and not self._ending.is_set():
            time.sleep(_TURN)

    def _ended(self, container: str) -> bool:
        process = self.processes.get(container)
        return process is not None and process.poll() is not None

    def _agent(self) -> list[str]:
        places = {name: self.root / name for name in _VOLUMES}
        places |= {
            "launcher": self._kubelet.launcher,
            "termination": self.root / "termination",
        }
        options = [text for name, path in places.items() for text in (f"--{name}", str(path))]
        packages = [text for path in host.packages() for text in ("--path", path)]
        return [*self._kubelet.interpreter, str(AGENT), *options, *packages]

    def _command(self, container: Json) -> list[str]:
        if container["name"] == STEP_CONTAINER:
            return [str(self.root / "control" / "launcher"), "run", str(self.root / "control")]
        return [word.replace("$$", "$") for word in container["command"]]

    def _run(self, name: str, command: list[str]) -> None:
        if self._ending.is_set():
            return
        container = next(c for c in self._spec["containers"] if c["name"] == name)
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **self._environment(container)},
            cwd=self.root / "workspace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes[name] = process
        if self._ending.is_set():
            # Whoever ended the Pod meanwhile did not know of it.
            _kill_tree(process.pid)
        reader = threading.Thread(target=self._read, args=(name, process), daemon=True)
        self._readers[name] = reader
        reader.start()
        if not self._kubelet.mute.is_set():
            self._kube.feed(self.name, b"", name)
        ready = "readinessProbe" not in container
        self._tell(name, {"running": {"startedAt": timestamp()}}, ready=ready)

    def _environment(self, container: Json) -> dict[str, str]:
        found: dict[str, str] = {}
        for variable in container["env"]:
            if "value" in variable:
                found[variable["name"]] = variable["value"].replace("$$", "$")
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                secret = self._kube.secrets.get(reference["name"]) or {"stringData": {}}
                found[variable["name"]] = secret["stringData"].get(reference["key"], "")
        return found

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if not self._kubelet.mute.is_set():
                    self._kube.feed(self.name, line, name)

    def _probe(self) -> None:
        statuses = {s["name"]: s for s in (self._status() or {}).get("containerStatuses") or ()}
        for container in self._spec["containers"]:
            name, probe = container["name"], container.get("readinessProbe")
            if probe is None or name not in statuses or self._ended(name):
                continue
            command = [word.replace("$$", "$") for word in probe["exec"]["command"]]
            ready = subprocess.run(command, cwd=self.root, check=False).returncode == 0
            if ready != statuses[name]["ready"]:
                self._tell(name, statuses[name]["state"], ready=ready)

    def _tell_end(self, name: str, code: int) -> None:
        _kill_tree(self.processes[name].pid)
        self._readers[name].join(_PATIENCE)
        if not self._kubelet.mute.is_set():
            self._kube.end_log(self.name, name)
        now = timestamp()
        code = code if code >= 0 else 128 - code
        ended: dict[str, Any] = {
            "exitCode": code,
            "reason": self.reasons.get(name) or ("Error" if code else "Completed"),
            "startedAt": now,
            "finishedAt": now,
        }
        if name == AGENT_CONTAINER and (self.root / "termination").exists():
            ended["message"] = (self.root / "termination").read_text()
        if not self._kubelet.blind.is_set():
            self._tell(name, {"terminated": ended}, ready=False)

    def _tell(self, name: str, state: Json, *, ready: bool) -> None:
        """Tell the state of one container, and the phase that follows from all of them."""
        with self._kube.changed:
            found = self._status()
            if found is None:
                return
            known = {s["name"]: s for s in found.get("containerStatuses") or ()}
            waiting = {"waiting": {"reason": "ContainerCreating"}}
            statuses = [
                known.get(c["name"]) or container_status(c["name"], waiting, ready=False)
                for c in self._spec["containers"]
            ]
            statuses = [
                container_status(name, state, ready=ready) if s["name"] == name else s
                for s in statuses
            ]
            scheduled = {"type": "PodScheduled", "status": "True"}
            self._kube.set_status(
                self.name,
                {
                    "phase": _phase(statuses),
                    "startTime": timestamp(),
                    "conditions": [scheduled],
                    "containerStatuses": statuses,
                },
            )

    def _status(self) -> Json | None:
        """Return its status; None if the API server has it no more."""
        pod = self._kube.pods.get(self.name)
        if pod is None or pod["metadata"]["uid"] != self.uid:
            return None
        status: Json = pod["status"]
        return status

    def _signal(self, number: signal.Signals, container: str | None = None) -> None:
        for name, process in list(self.processes.items()):
            if container in (None, name) and process.poll() is None:
                if number is signal.SIGKILL:
                    _kill_tree(process.pid)
                else:
                    process.send_signal(number)

    def _lives(self) -> bool:
        return any(process.poll() is None for process in self.processes.values())


def _kill_tree(process: int) -> None:
    """Kill a process, its group and all below it, as those of a container end with its first."""
    children: list[str] = []
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    with suppress(OSError):
        os.killpg(process, signal.SIGKILL)
    with suppress(OSError):
        os.kill(process, signal.SIGKILL)
    for child in children:
        _kill_tree(int(child))


def _phase(statuses: list[Json]) -> str:
    states = [status["state"] for status in statuses]
    if all("terminated" in state for state in states):
        failed = any(state["terminated"]["exitCode"] for state in states)
        return "Failed" if failed else "Succeeded"
    return "Pending" if any("waiting" in state for state in states) else "Running"
