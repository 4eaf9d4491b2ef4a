"""A Pod on this machine: the real agent, the real launcher, and what the kubelet does for them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import runner.agent.pod
from runner.executors import host
from runner.logs import LogLine
from runner.workspace.adopting import adopt
from runner.workspace.capture import capture
from runner.workspace.index import Index
from runner.workspace.manifest import EMPTY
from runner.workspace.restore import restore
from runner.workspace.snapshots import Snapshots
from tests.runner.agent.launching import eventually
from tests.runner.executors.bench import interpreter
from tests.support.presigned import PresignedStore

AGENT = Path(runner.agent.pod.__file__).parent / "__main__.py"
HOME = "attempts/run-1/step-1"
GO, STOP = 'hookline.dev/go="1"', 'hookline.dev/stop="1"'
# Long enough for any machine; nothing waits for it to pass unless something is wrong.
PATIENCE = 60.0


@dataclass(frozen=True)
class Told:
    """A line of the agent's log: its letter, and the rest of it."""

    kind: str
    text: str


class Pod:
    """A Pod whose agent is started by `agent()` and whose step's container by `container()`.

    Whatever runs in it has ended after the `with`.
    """

    def __init__(self, root: Path, store: PresignedStore, program: Path) -> None:
        self.root = root
        self.store = store
        self.snapshots = Snapshots(store.objects)
        self.told: list[Told] = []
        self.raw = bytearray()
        self.process: subprocess.Popen[bytes] | None = None
        self.step: subprocess.Popen[bytes] | None = None
        self.input = ""
        self._program = program
        self._news = threading.Condition()
        self._hearing: threading.Thread | None = None
        self._version = 0
        for name in ("control", "scratch", "workspace", "pod", "tmp"):
            (root / name).mkdir()
        self.workspace = root / "workspace"
        self.control = root / "control"
        self.termination = root / "termination"
        self.annotate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.release()
        for process in (self.step, self.process):
            if process is not None:
                process.kill()
                process.wait()
        if self._hearing is not None:
            self._hearing.join()

    def annotate(self, *lines: str) -> None:
        """Show annotations as the kubelet does: a new folder, put in place by one rename."""
        self._version += 1
        folder = self.root / "pod" / f"..{self._version}"
        folder.mkdir()
        text = "\n".join(['hookline.dev/step="a \\"b\\" (c)"', *lines])
        (folder / "annotations").write_text(text)
        fresh = self.root / "pod" / "..data_tmp"
        fresh.symlink_to(folder.name)
        fresh.replace(self.root / "pod" / "..data")
        with suppress(FileExistsError):
            (self.root / "pod" / "annotations").symlink_to("..data/annotations")

    def snapshot(self, files: Mapping[str, str]) -> str:
        """Return the digest of a snapshot of these files."""
        tree = self.root / f"source-{len(list(self.root.iterdir()))}"
        tree.mkdir()
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        return capture(tree, EMPTY, Index(), self.snapshots, parents=()).digest

    def order(self, script: str = "true", **changes: Any) -> None:
        """Write the order of a step that runs a shell script, by default on no files."""
        self.input = changes.pop("input", "") or self.snapshot({})
        largest = changes.pop("largest", 1 << 30)
        upload = self.store.upload(HOME, largest)
        keys = changes.pop("keys", None)
        record = {
            "version": 1,
            "command": ["sh", "-c", script],
            "environment": {},
            "outputs": [],
            "artifacts": [],
            "timeout": 60.0,
            "grace": 5.0,
            "log_limit": 1 << 26,
            "input": self.input,
            "home": HOME,
            "objects": {
                key: self.store.address(key)
                for key in (self.snapshots.keys(self.input) if keys is None else keys)
            },
            "upload": {"url": upload.url, "fields": dict(upload.fields), "prefix": upload.prefix},
        }
        self.write_order(json.dumps(record | changes).encode())

    def write_order(self, data: bytes) -> None:
        """Put an order down as it is."""
        self.store.objects.put(f"{HOME}/order", data)

    def agent(
        self,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **places: Path,
    ) -> None:
        """Start the agent's container; `places` are elsewhere than usual."""
        own = {
            **{name: self.root / name for name in ("control", "scratch", "workspace", "pod")},
            "tmp": self.root / "tmp",
            "launcher": self._program,
            "termination": self.termination,
            **places,
        }
        options = [text for name, path in own.items() for text in (f"--{name}", str(path))]
        for folder in host.packages():
            options += ["--path", folder]
        order = self.store.address(f"{HOME}/order")
        self.process = subprocess.Popen(
            [*prefix, *interpreter(), str(AGENT), *options],
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOOKLINE_ORDER": order,
                "HOOKLINE_CA": "",
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._hearing = threading.Thread(target=self._hear, args=(self.process,), daemon=True)
        self._hearing.start()

    def container(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the step's container once the launcher is there, as `postStart` has it."""
        program = self.control / "launcher"
        eventually(program.exists, "the launcher is in its place")
        self.step = subprocess.Popen(
            [program, "run", self.control],
            env={"PATH": os.environ.get("PATH", ""), **(environment or {})},
            stderr=subprocess.DEVNULL,
        )

    def start(self, script: str = "true", **changes: Any) -> None:
        """Order a step whose turn has come, and start both containers."""
        self.order(script, **changes)
        self.annotate(GO)
        self.agent()
        self.container()

    def run(self, script: str = "true", **changes: Any) -> dict[str, Any]:
        """Run a step to its end, and return the end as it was told."""
        self.start(script, **changes)
        return self.end()

    def until(self, kind: str, text: str) -> str:
        """Return the first line of a kind that holds a text, when it has come."""
        with self._news:
            search = _Search(self.told, kind, text)
            self._news.wait_for(lambda: search.find() or self._over(), PATIENCE)
            line = search.find()
            assert line is not None, self.raw.decode(errors="replace")[-4000:]
            return line.text

    def printed(self, text: str) -> str:
        """Wait until the step has printed a line that holds this; return it as it is stored."""
        return self.until("=", text)

    def end(self) -> dict[str, Any]:
        """Return the end that was told, when the agent has ended with it."""
        told = self.until(">", "ended {")
        assert self.process is not None
        assert self.process.wait(PATIENCE) == 0, self.raw
        assert self._hearing is not None
        self._hearing.join()
        record: dict[str, Any] = json.loads(told.removeprefix("ended "))
        assert self.termination.read_text() == told.removeprefix("ended ")
        assert len(told) <= 3100
        self._check()
        return record

    def stop(self) -> None:
        """Send SIGTERM to the agent, as the kubelet does when the Pod is deleted."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def object(self, name: str) -> bytes:
        """Return an object below the attempt's prefix."""
        return self.store.objects.get(f"{HOME}/{name}")

    def result(self) -> dict[str, Any]:
        """Return the end as it is stored."""
        record: dict[str, Any] = json.loads(self.object("result"))
        return record

    def log(self) -> bytes:
        """Return the log as it is stored."""
        return gzip.decompress(self.object("log"))

    def text(self) -> list[str]:
        """Return the texts of the lines in the stored log."""
        return [line.text for line in _lines(self.log())]

    def said(self) -> list[str]:
        """Return what the agent had to say."""
        return [line.text for line in self.told if line.kind == "!"]

    def files(self, digest: str) -> dict[str, str]:
        """Adopt what the Pod left, and return its files as the next step would find them."""
        server = Snapshots(self.store.objects)
        adopt(server, digest, HOME, [self.input])
        place = self.root / f"next-{len(list(self.root.iterdir()))}"
        restore(server.load(digest), place, Index(), server)
        return {
            path.relative_to(place).as_posix(): path.read_text()
            for path in sorted(place.rglob("*"))
            if path.is_file()
        }

    def _check(self) -> None:
        """Check what must hold of every agent's log."""
        stored = self.log() if self.store.objects.size(f"{HOME}/log") is not None else None
        shown = bytearray()
        for line in bytes(self.raw).split(b"\n")[:-1]:
            kind, _, rest = line.partition(b" ")
            assert kind in {b"=", b">", b"!"}, line
            if kind == b"=":
                start, _, text = rest.partition(b" ")
                assert int(start) == len(shown)
                shown += text + b"\n"
        assert stored is None or stored == bytes(shown)
        assert not any(secret.encode() in self.raw for secret in self.store.secrets)

    def _over(self) -> bool:
        return self._hearing is not None and not self._hearing.is_alive()

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._news:
                self.raw += line
                kind, _, rest = line.decode(errors="replace").rstrip("\n").partition(" ")
                self.told.append(Told(kind, rest))
                self._news.notify_all()
        process.stdout.close()
        with self._news:
            self._news.notify_all()


def _lines(log: bytes) -> Iterator[LogLine]:
    for number, line in enumerate(log.decode().split("\n")[:-1], start=1):
        stamp, _, text = line.partition(" ")
        yield LogLine(number, float(stamp), text)


class _Search:
    """Looks for a line among those told, each of which it looks at once."""

    def __init__(self, told: Sequence[Told], kind: str, text: str) -> None:
        self._told = told
        self._kind = kind
        self._text = text
        self._place = 0

    def find(self) -> Told | None:
        while self._place < len(self._told):
            line = self._told[self._place]
            if line.kind == self._kind and self._text in line.text:
                return line
            self._place += 1
        return None
