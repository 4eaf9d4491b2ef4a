"""The testbed's processes: started so that they outlive who started them, known again by a record."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.testbed.tools import TestbedError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/nonexistent", "LC_ALL": "C"}
"""All that the testbed's programs see of this machine's environment: no proxies, no certificates."""

_PAUSE = 0.02
_TAIL = 2000


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken: its number, when it began, and since which boot."""

    name: str
    pid: int
    began: str
    boot: str

    def alive(self) -> bool:
        """Say whether this very process runs; one of ours that has ended is reaped on the way."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return bool(self.began) and (self.boot, self.began) == (_boot(), _began(self.pid))

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it is alive."""
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def launch(
    folder: Path, name: str, command: Sequence[str | Path], environment: Mapping[str, str]
) -> Process:
    """Start the command in a session of its own, its output in `logs/`, its record in `pids/`."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    arguments = [str(part) for part in command]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawnp(
        arguments[0],
        arguments,
        {**ENVIRONMENT, **environment},
        file_actions=files,
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGINT],
    )
    process = Process(name, pid, _began(pid), _boot())
    record = folder / "pids" / f"{name}.json"
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(asdict(process)))
    return process


def recorded(folder: Path) -> dict[str, Process]:
    """Return the processes that were started in that folder, by name, whether they run or not."""
    files = sorted((folder / "pids").glob("*.json"))
    return {file.stem: Process(**json.loads(file.read_text())) for file in files}


def end(processes: Iterable[Process], grace: float = 0) -> None:
    """End them: SIGTERM and `grace` seconds if there are any, then SIGKILL. Return when they have."""
    every = list(processes)
    if grace:
        for process in every:
            process.send(signal.SIGTERM)
        with suppress(TestbedError):
            wait_until(lambda: not any(p.alive() for p in every), grace, "the processes to end")
    for process in every:
        process.send(signal.SIGKILL)
    wait_until(lambda: not any(p.alive() for p in every), 20, "killed processes to be gone")


def wait_until(
    true: Callable[[], bool],
    seconds: float,
    what: str,
    process: Process | None = None,
    folder: Path | None = None,
) -> None:
    """Return when it is true; TestbedError when the time is over or the process has ended."""
    until = time.monotonic() + seconds
    while not true():
        ended = process is not None and not process.alive()
        if ended or time.monotonic() > until:
            how = "it ended" if ended else f"waited for {seconds:.0f} s"
            message = f"no {what}: {how}{_end_of_log(process, folder)}"
            raise TestbedError(message)
        time.sleep(_PAUSE)


def _end_of_log(process: Process | None, folder: Path | None) -> str:
    if process is None or folder is None:
        return ""
    log = folder / "logs" / f"{process.name}.log"
    return f"; the end of {log}:\n{log.read_text(errors='replace')[-_TAIL:]}"


def _began(pid: int) -> str:
    """Return the process's start in clock ticks since boot; empty if it is none, or has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
