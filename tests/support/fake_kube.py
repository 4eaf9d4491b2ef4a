"""An API server for Pods, logs, Secrets and events: as strict as the real one, and scriptable.

It speaks HTTP on the loopback address, so the real client, watch and log follow run against it.
It has no kubelet: a test (or a hook) says what becomes of a Pod.

    with FakeKube() as kube:
        client = kube.client()                  # or connect(kube.settings(folder), environ={})
        kube.on_create(lambda pod: kube.run(pod["metadata"]["name"]))
        kube.fault(throttled(), on="create pods")          # the next one only; times=2 for two
        kube.fault(Broken(after=3), on="watch pods")
        client.create_pod(manifest)
        kube.feed("p", b"> started {}\\n")       # a line of its agent's log
        kube.finish("p", {"agent": 0, "step": 0})
        kube.wait_for(lambda: "p" not in kube.pods)

Requests are named `VERB RESOURCE`: `create|get|list|watch|patch|delete|deletecollection pods`,
`get pods/log`, `create|delete|deletecollection secrets`, `list events`,
`create selfsubjectaccessreviews`. `requests` holds all of them. What may go wrong is in
`kube_faults`. Everything here is safe from any thread; hooks run in the request's thread, after
the object is stored and before the answer is sent.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from kubernetes.client.configuration import Configuration

from runner.kube.client import KubeClient
from runner.kube.connection import Connection
from runner.settings_model import Kubernetes
from tests.support.kube_faults import Fault
from tests.support.kube_objects import Json, Shelf, Versions, merged
from tests.support.kube_routes import Handler
from tests.support.loopback import LoopbackServer, serving

NAMESPACE = "hookline-runs"
TOKEN = "t0ken"


@dataclass(frozen=True)
class Request:
    """A request that came: `act` is its verb and resource, `query` and `body` what it said."""

    act: str
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass
class Log:
    """What a container wrote: pieces with the time at which they came, and whether it ended."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    ended: bool = False
    rotated: int = 0


Hook = Callable[[Json], object]


class FakeKube:
    """An API server on this machine, for one namespace."""

    def __init__(self, *, token: str = TOKEN, bookmarks: float = 0.2) -> None:
        """Make one; `bookmarks` are the seconds between two bookmarks of a watch."""
        self.token = token
        self.bookmarks = bookmarks
        self.changed = threading.Condition(threading.RLock())
        self.closing = threading.Event()
        self.denied: set[str] = set()
        """Rights that a SelfSubjectAccessReview denies, such as `get pods/log`."""
        self.lingering = False
        """Whether a deleted Pod that runs stays, with a deletionTimestamp, until `remove`."""
        self.page: int | None = None
        """Most objects in one part of a list, whatever the client asks for."""
        versions = Versions()
        self.versions = versions
        self.shelves = {"pods": Shelf(versions), "secrets": Shelf(versions)}
        self.events: list[Json] = []
        self.logs: dict[tuple[str, str], Log] = {}
        self._requests: list[Request] = []
        self._faults: deque[tuple[str, Fault | None]] = deque()
        self._created: list[Hook] = []
        self._patched: list[Hook] = []
        self._deleted: list[Hook] = []
        self._server = LoopbackServer(type("KubeHandler", (Handler,), {"kube": self}))
        self._serving = serving(self._server)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        with self.changed:
            self.changed.notify_all()
        self._serving.__exit__(None, None, None)

    # How it is reached

    @property
    def url(self) -> str:
        """The address of the API server."""
        return self._server.url

    def kubeconfig(self, folder: Path, **cluster: object) -> Path:
        """Write a kubeconfig for it into a folder and return the file; `cluster` are more keys."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url, **cluster}}],
            "users": [{"name": "hookline", "user": {"token": self.token}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "hookline"}}],
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(document))
        return file

    def settings(self, folder: Path) -> Kubernetes:
        """Return settings that lead here, with a kubeconfig written into a folder."""
        return Kubernetes(kubeconfig=self.kubeconfig(folder), namespace=NAMESPACE)

    def client(self, *, hurry: float = 0.01) -> KubeClient:
        """Return a client for it that waits only `hurry` of the time between two tries."""
        found = Configuration(host=self.url, api_key={"BearerToken": f"Bearer {self.token}"})
        connection = Connection(found, width=300)
        return KubeClient(
            connection, NAMESPACE, pause=lambda seconds: self.closing.wait(seconds * hurry)
        )

    # What is there, and what came

    @property
    def pods(self) -> dict[str, Json]:
        """All Pods by their names, as copies."""
        with self.changed:
            shelf = self.shelves["pods"]
            return {name: found for name in shelf if (found := shelf.get(name))}

    @property
    def secrets(self) -> dict[str, Json]:
        """All Secrets by their names, as copies; over the wire nobody may read them."""
        with self.changed:
            shelf = self.shelves["secrets"]
            return {name: found for name in shelf if (found := shelf.get(name))}

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request that came so far, also those that went wrong."""
        with self.changed:
            return tuple(self._requests)

    def acts(self, act: str) -> list[Request]:
        """Return the requests of one kind, such as `create pods`."""
        return [request for request in self.requests if request.act == act]

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until something is true; raise `TimeoutError`, with the last requests."""
        until = time.monotonic() + timeout
        with self.changed:
            while not predicate():
                if time.monotonic() > until:
                    told = "\n  ".join(map(str, self._requests[-20:])) or "(nothing)"
                    message = f"after {timeout:g} seconds this is what was asked:\n  {told}"
                    raise TimeoutError(message)
                self.changed.wait(0.02)

    # What goes wrong, and who is told

    def fault(self, fault: Fault | None, times: int = 1, on: str = "") -> None:
        """Let requests go wrong: the next ones whose act is `on`, or whatever comes if it is empty.

        Faults for the same act come in the order in which they were told; None lets one pass.
        """
        with self.changed:
            self._faults.extend([(on, fault)] * times)

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        with self.changed:
            self._faults.clear()

    def on_create(self, hook: Hook) -> None:
        """Have a hook called with every Pod that is created; it may set the Pod's status."""
        self._created.append(hook)

    def on_patch(self, hook: Hook) -> None:
        """Have a hook called with every Pod that is patched."""
        self._patched.append(hook)

    def on_delete(self, hook: Hook) -> None:
        """Have a hook called with every Pod that is to be deleted, also if it lingers."""
        self._deleted.append(hook)

    def hang_up(self) -> None:
        """Cut every open connection, watches and logs included."""
        self._server.hang_up()

    def forget(self) -> None:
        """Forget history: a watch from any version before now is answered with 410."""
        with self.changed:
            self.shelves["pods"].forget()

    # What the kubelet, the scheduler and other people do

    def set_status(self, name: str, status: Mapping[str, Any]) -> Json:
        """Merge into a Pod's status, as JSON merge patches do, and return the Pod."""
        return self.change(name, {"status": dict(status)})

    def change(self, name: str, patch: Mapping[str, Any]) -> Json:
        """Merge into any part of a Pod and return it."""
        with self.changed:
            pod = self.shelves["pods"].get(name)
            assert pod is not None, f"no Pod {name}"
            changed = self.shelves["pods"].put(merged(pod, patch))
            self.changed.notify_all()
            return changed

    def run(self, name: str, *, ready: bool = True) -> Json:
        """Let all containers of a Pod run, and its logs be read."""
        pod = self.pods[name]
        now = timestamp()
        statuses = [
            container_status(container["name"], {"running": {"startedAt": now}}, ready=ready)
            for container in pod["spec"]["containers"]
        ]
        with self.changed:
            for container in pod["spec"]["containers"]:
                self.logs.setdefault((name, container["name"]), Log())
        conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": now}]
        return self.set_status(
            name,
            {
                "phase": "Running",
                "startTime": now,
                "conditions": conditions,
                "containerStatuses": statuses,
            },
        )

    def wait(self, name: str, container: str, reason: str, message: str = "") -> Json:
        """Let one container of a Pod wait for a reason, such as `ImagePullBackOff`."""
        state = {"waiting": {"reason": reason, "message": message}}
        return self._set_states(name, {container: state}, "Pending")

    def finish(
        self,
        name: str,
        exits: Mapping[str, int],
        *,
        message: str = "",
        reason: str | None = None,
        phase: str | None = None,
    ) -> Json:
        """Let containers of a Pod end with exit codes; their logs end too.

        `message` becomes the agent's termination message; `reason` stands in for `Completed` or
        `Error`. The phase follows once all containers have ended, unless it is given.
        """
        now = timestamp()
        states = {}
        for container, code in exits.items():
            ended = {
                "exitCode": code,
                "reason": reason or ("Error" if code else "Completed"),
                "startedAt": now,
                "finishedAt": now,
            }
            if message and container == "agent":
                ended["message"] = message
            states[container] = {"terminated": ended}
            self.end_log(name, container)
        pod = self._set_states(name, states, phase)
        return pod if phase else self._settle(name, pod)

    def remove(self, name: str) -> None:
        """Take a Pod away at once, as its kubelet does in the end, or somebody by force."""
        with self.changed:
            if name in self.shelves["pods"]:
                self.shelves["pods"].remove(name)
            for (pod, _), log in self.logs.items():
                log.ended = log.ended or pod == name
            self.changed.notify_all()

    def add_event(
        self, name: str, reason: str, message: str, *, kind: str = "Warning", count: int = 1
    ) -> None:
        """Tell an event about a Pod, such as the scheduler's `FailedScheduling`."""
        with self.changed:
            pod = self.shelves["pods"].get(name)
            uid = pod["metadata"]["uid"] if pod else ""
            about = {"kind": "Pod", "name": name, "namespace": NAMESPACE, "uid": uid}
            self.events.append(
                {
                    "metadata": {"name": f"{name}.{len(self.events)}", "namespace": NAMESPACE},
                    "involvedObject": about,
                    "reason": reason,
                    "message": message,
                    "type": kind,
                    "count": count,
                    "lastTimestamp": timestamp(),
                }
            )

    # What containers write

    def feed(self, name: str, data: bytes, container: str = "agent") -> None:
        """Add to a container's log, which may be read from now on; a follower hears at once."""
        with self.changed:
            log = self.logs.setdefault((name, container), Log())
            log.pieces.append((time.time(), data))
            self.changed.notify_all()

    def end_log(self, name: str, container: str = "agent") -> None:
        """End a container's log: whoever follows it has heard all."""
        with self.changed:
            self.logs.setdefault((name, container), Log()).ended = True
            self.changed.notify_all()

    def rotate_log(self, name: str, container: str = "agent") -> None:
        """Throw away what a container wrote so far, as a kubelet does with large logs."""
        with self.changed:
            log = self.logs[name, container]
            log.rotated = len(log.pieces)

    # What the routes use

    def note(self, request: Request) -> Fault | None:
        """Keep a request, and return what goes wrong with it."""
        with self.changed:
            self._requests.append(request)
            self.changed.notify_all()
            for at, (on, fault) in enumerate(self._faults):
                if on in ("", request.act):
                    del self._faults[at]
                    return fault
        return None

    def created(self, pod: Json) -> None:
        """Call the hooks for a new Pod."""
        for hook in self._created:
            hook(pod)

    def patched(self, pod: Json) -> None:
        """Call the hooks for a patched Pod."""
        for hook in self._patched:
            hook(pod)

    def delete(self, name: str, grace: int | None) -> Json:
        """Delete a Pod as the API server does, and return it."""
        with self.changed:
            pod = self.shelves["pods"].get(name)
            assert pod is not None
            runs = pod["status"].get("phase") == "Running"
            seconds = pod["spec"].get("terminationGracePeriodSeconds", 30)
            seconds = seconds if grace is None else grace
            if self.lingering and runs and seconds:
                ends = datetime.fromtimestamp(time.time() + seconds, UTC)
                metadata = {
                    "deletionTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "deletionGracePeriodSeconds": seconds,
                }
                pod = self.change(name, {"metadata": metadata})
            else:
                self.remove(name)
        for hook in self._deleted:
            hook(pod)
        return pod

    def accept(self, resource: str, thing: Json) -> Json:
        """Store a new object with what the server adds to it."""
        with self.changed:
            metadata = {
                **thing["metadata"],
                "namespace": NAMESPACE,
                "uid": str(uuid.uuid4()),
                "creationTimestamp": timestamp(),
                "managedFields": [{"manager": "hookline", "operation": "Update"}],
            }
            stored = {**thing, "metadata": metadata}
            if resource == "pods":
                stored["status"] = {"phase": "Pending", "qosClass": "Burstable"}
            kept = self.shelves[resource].put(stored)
            self.changed.notify_all()
            return kept

    def _set_states(self, name: str, states: Mapping[str, Json], phase: str | None) -> Json:
        pod = self.pods[name]
        known = {status["name"]: status for status in pod["status"].get("containerStatuses") or ()}
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        statuses = []
        for container in (each["name"] for each in pod["spec"]["containers"]):
            before = known.get(container) or container_status(container, waiting, ready=False)
            state = states.get(container)
            new = container_status(container, state, ready=False) if state else before
            statuses.append(new)
        status: Json = {"containerStatuses": statuses}
        return self.set_status(name, {**status, "phase": phase} if phase else status)

    def _settle(self, name: str, pod: Json) -> Json:
        """Set the phase of a Pod of which every container has ended."""
        states = [status["state"] for status in pod["status"]["containerStatuses"]]
        if not all("terminated" in state for state in states):
            return pod
        failed = any(state["terminated"]["exitCode"] for state in states)
        return self.set_status(name, {"phase": "Failed" if failed else "Succeeded"})


def timestamp() -> str:
    """Return the time as Kubernetes writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def container_status(name: str, state: Mapping[str, Any], *, ready: bool) -> Json:
    """Return one of a Pod's `containerStatuses`."""
    return {
        "name": name,
        "state": dict(state),
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "started": "running" in state,
        "image": "",
        "imageID": "",
    }
