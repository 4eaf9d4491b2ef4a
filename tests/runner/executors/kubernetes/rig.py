"""An executor of Pods over a fake API server, a kubelet of this machine, and a store with addresses."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.executors.base import AttemptId, Order, Outline, Phase, Result
from runner.executors.kubernetes.cases import Patience
from runner.executors.kubernetes.executor import KubernetesExecutor
from runner.executors.kubernetes.orders import home
from runner.kube.podspec import pod_name
from runner.logs import LogBook
from runner.objects.base import ObjectInfo, Upload
from runner.settings_model import Kubernetes
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.snapshots import Snapshots
from tests.runner.executors.bench import interpreter
from tests.runner.executors.contract import Ear
from tests.support.fake_kube import FakeKube
from tests.support.fake_kubelet import FakeKubelet, RunningPod
from tests.support.kube_objects import Json
from tests.support.presigned import PresignedStore

RUN = "01kb0000000000000000000000"
HASTE = Patience(
    look=10.0,
    confirm=1.0,
    log=0.5,
    linger=5.0,
    leave=30.0,
    crowded=0.5,
    again=0.02,
    longest=0.1,
    deaf=0.2,
    margin=120.0,
    visit=0.2,
    events=0.1,
)


class SharedMemory:
    """A store in memory whose objects Pods reach by addresses, counted and failing when told."""

    def __init__(self, store: PresignedStore) -> None:
        self.store = store
        self.memory = store.objects
        self.calls: list[tuple[str, str]] = []
        self.faults: list[tuple[str, str, Exception]] = []

    def put(self, key: str, data: bytes) -> None:
        self._note("put", key)
        self.memory.put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        self._note("create", key)
        return self.memory.create(key, data)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self._note("get", key)
        return self.memory.get(key, start, length)

    def size(self, key: str) -> int | None:
        self._note("size", key)
        return self.memory.size(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self.memory.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        named = list(keys)
        self._note("delete", " ".join(named))
        self.memory.delete(named)

    def presigned_get(self, key: str, seconds: float) -> str:
        return self.store.address(key)

    def presigned_put(self, key: str, seconds: float) -> str:
        raise AssertionError(key)

    def presigned_upload(self, prefix: str, largest: int, seconds: float) -> Upload:
        return self.store.upload(prefix, largest)

    def fault(self, verb: str, key: str, error: Exception) -> None:
        """Let the next call of a kind fail that is about a key which ends so."""
        self.faults.append((verb, key, error))

    def _note(self, verb: str, key: str) -> None:
        self.calls.append((verb, key))
        for fault in self.faults:
            if fault[0] == verb and key.endswith(fault[1]):
                self.faults.remove(fault)
                raise fault[2]


class Rig:
    """What a test needs to run steps as Pods; it ends with all that it started."""

    def __init__(self, folder: Path, kube: FakeKube, store: PresignedStore, launcher: Path) -> None:
        self.kube = kube
        self.store = store
        self.objects = SharedMemory(store)
        self.snapshots = Snapshots(self.objects)
        self.kubelet = FakeKubelet(kube, folder / "pods", launcher, interpreter())
        self.settings = Kubernetes(default_image="busybox", ahead=2)
        self.folder = folder
        self._count = 0
        self._executors: list[KubernetesExecutor] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.kubelet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for executor in self._executors:
            executor.close()
        self.store.release()
        self._stack.close()

    def executor(self, **changes: Any) -> KubernetesExecutor:
        """Return another executor, with a spool of its own, as a server elsewhere has it."""
        number = len(self._executors) + 1
        values: dict[str, Any] = {
            "settings": self.settings,
            "objects": self.objects,
            "snapshots": Snapshots(self.objects),
            "logs": LogBook(self.folder / f"spool-{number}", self.objects),
            "log_limit": 1 << 26,
            "waiting": 600.0,
            "patience": HASTE,
            "threads": 4,
        }
        client = changes.pop("client", None) or self.kube.client()
        made = KubernetesExecutor(client, **(values | changes))
        self._executors.append(made)
        return made

    def logs(self, number: int = 1) -> LogBook:
        """Return the log book of the executor that was made so late."""
        return LogBook(self.folder / f"spool-{number}", self.objects)

    def snapshot(self, files: Mapping[str, str]) -> str:
        """Return the digest of a snapshot of these files."""
        self._count += 1
        tree = self.folder / f"source-{self._count}"
        tree.mkdir()
        for name, text in files.items():
            (tree / name).write_text(text)
        return capture(tree, EMPTY, Index(), self.snapshots, parents=()).digest

    def order(self, script: str = "true", **changes: Any) -> Order:
        """Return the order of a new step that runs a shell script, by default on no files."""
        self._count += 1
        order = Order(
            attempt=AttemptId(RUN, f"step {self._count}", 1),
            command=("sh", "-c", script),
            environment={},
            input="",
            timeout=60.0,
            grace=5.0,
        )
        changed = replace(order, **changes)
        return changed if changed.input else replace(changed, input=self.snapshot({}))

    def pod(self, of: Order | Outline) -> Json | None:
        """Return the Pod of an attempt as the API server has it."""
        return self.kube.pods.get(pod_name(of.attempt))

    def running(self, of: Order | Outline) -> RunningPod:
        """Return the processes of a Pod."""
        return self.kubelet.pod(pod_name(of.attempt))

    def object(self, order: Order, name: str) -> bytes | None:
        """Return an object of an attempt, None if there is none."""
        key = f"{home(order.attempt)}/{name}"
        return self.objects.memory.get(key) if self.objects.memory.size(key) is not None else None

    def until_gone(self, *orders: Order | Outline) -> None:
        """Wait until the Pods of these are gone."""
        self.kube.wait_for(lambda: not any(self.pod(order) for order in orders), 30.0)


def run(executor: KubernetesExecutor, order: Order) -> Result:
    """Run a step to its end and return its result."""
    ear = Ear(executor)
    executor.start(order)
    return ear.end_of(order.attempt)


def until_running(executor: KubernetesExecutor, ear: Ear, order: Order) -> None:
    """Return when the command of a step runs."""
    ear.until(order.attempt, Phase.RUNNING)


def eventually(holds: Any, what: str = "it") -> None:
    """Wait until something holds."""
    until = time.monotonic() + 30.0
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.005)
