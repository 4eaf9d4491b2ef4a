"""Stands in for the agent: starts the real launcher on real FIFOs, and hears what it says."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SOURCES = Path(__file__).parents[3] / "runner" / "agent"
FIFOS = ("go", "end", "log")
# Long enough for any machine; nothing waits for it to pass unless something is wrong.
_PATIENCE = 60.0
_CONTAINER = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}


def compiler() -> str:
    """Return what the image is built with if it is here, else the machine's own compiler."""
    return "musl-gcc" if shutil.which("musl-gcc") else "cc"


def compile_launcher(folder: Path, cc: str, define: str = "") -> Path:
    """Compile the launcher into the folder as the image does, and return the program."""
    made = folder / f"launcher-{cc}{define}"
    recipe: list[str | Path] = [
        "make",
        "-s",
        "-f",
        SOURCES / "launcher.mk",
        f"CC={cc}",
        f"OUT={made}",
    ]
    subprocess.run([*recipe, f"DEFINE={define}"], check=True)
    return made


def header(body: bytes, arguments: int, variables: int) -> bytes:
    return b"run %d %d %d\n" % (len(body), arguments, variables)


def order(
    arguments: Sequence[str], variables: Mapping[str, str] = {}, directory: str = "/"
) -> bytes:
    """Return an order as the agent writes it."""
    texts = [directory, *arguments, *(f"{name}={value}" for name, value in variables.items())]
    body = b"".join(text.encode() + b"\0" for text in texts)
    return header(body, len(arguments), len(variables)) + body


def make_fifos(folder: Path, names: Sequence[str] = FIFOS) -> Path:
    """Make the folder for control with these FIFOs in it."""
    folder.mkdir()
    for name in names:
        os.mkfifo(folder / name)
    return folder


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.005)


def is_gone(process: int) -> bool:
    """Whether there is no such process, not even its remains."""
    return not Path(f"/proc/{process}").exists()


def children(process: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def state(process: int) -> str:
    """Return the letter of a process's state, such as Z for a zombie."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


class Launched:
    """A launcher that runs, with the other ends of its FIFOs; all of it is gone after the `with`.

    `command` starts it, as the child of another program if `forked`. `log` is what the step printed
    up to the line that was heard last.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        control: Path,
        *,
        environment: Mapping[str, str] = _CONTAINER,
        prepare: Callable[[], object] | None = None,
        forked: bool = False,
    ) -> None:
        self.log = b""
        self._heard = b""
        self._end: int | None = os.open(control / "end", os.O_RDONLY | os.O_NONBLOCK)
        self._log = os.open(control / "log", os.O_RDONLY | os.O_NONBLOCK)
        self._go: int | None = None
        self._control = control
        self._forked = forked
        self.process = subprocess.Popen(
            command,
            env=environment,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,  # noqa: PLW1509 - nothing here runs in threads
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()
        self.process.kill()
        self.process.communicate()
        self.turn_away()
        os.close(self._log)

    def line(self) -> str:
        """Return the next line on `end`, "" when it was closed; the log is taken in meanwhile."""
        until = time.monotonic() + _PATIENCE
        assert self._end is not None, "nobody listens any more"
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        while b"\n" not in self._heard:
            assert time.monotonic() < until, f"nothing said, after {self._heard!r} {self.log!r}"
            if poll.poll(0 if self._take_log() else 10):
                said = os.read(self._end, 4096)
                if not said:
                    return ""
                self._heard += said
        line, _, self._heard = self._heard.partition(b"\n")
        while self._take_log():
            pass
        return line.decode()

    def hears(self, text: bytes, times: int = 1) -> None:
        """Wait until the step's log holds this, so many times."""

        def heard() -> bool:
            return not self._take_log() and self.log.count(text) >= times

        eventually(heard, f"{text!r} in the log")

    def _take_log(self) -> bool:
        """Take in what the log's FIFO holds; return whether it held anything."""
        try:
            data = os.read(self._log, 65536)
        except BlockingIOError:
            return False
        self.log += data
        return bool(data)

    def write(self, data: bytes) -> None:
        """Write to `go`."""
        if self._go is None:
            self._go = os.open(self._control / "go", os.O_WRONLY)
        while data:
            data = data[os.write(self._go, data) :]

    def start(
        self, *arguments: str, variables: Mapping[str, str] = {}, directory: str = "/"
    ) -> None:
        """Order a command, and hear that it has started."""
        assert self.line() == "H"
        self.write(order(arguments, variables, directory))
        assert self.line() == "S"

    def shell(self, script: str, **variables: str) -> None:
        """Start a script, and hear that it has started."""
        self.start("/bin/sh", "-c", script, variables=variables)

    def leave(self) -> None:
        """Close `go`, as the kernel does when the agent dies."""
        if self._go is not None:
            os.close(self._go)
            self._go = None

    def turn_away(self) -> None:
        """Close `end`, which is what dies with the agent too."""
        if self._end is not None:
            os.close(self._end)
            self._end = None

    @property
    def first(self) -> int:
        """The launcher's process id."""
        return children(self.process.pid)[0] if self._forked else self.process.pid

    def signal(self, number: signal.Signals | int) -> None:
        os.kill(self.first, number)

    def ends(self) -> tuple[int, str]:
        """Return the launcher's exit code and what it complained about."""
        _, complaints = self.process.communicate(timeout=_PATIENCE)
        return self.process.returncode, complaints.decode()


@pytest.fixture(name="launcher", scope="session")
def launcher_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher, compiled for this machine."""
    return compile_launcher(tmp_path_factory.mktemp("launcher"), compiler())


@pytest.fixture(name="control")
def control_fixture(tmp_path: Path) -> Path:
    """A folder with the three FIFOs."""
    return make_fifos(tmp_path / "control")


@pytest.fixture(name="launched")
def launched_fixture(launcher: Path, control: Path) -> Iterator[Launched]:
    """A launcher that waits for its orders."""
    with Launched([launcher, "run", control], control) as running:
        yield running
