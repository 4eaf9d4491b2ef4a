"""What agents and the controller keep in memory, by what the kernel says of their processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cluster.stages import open_stage
from benchmarks.figures import Figure
from tests.cluster.stage import Stage
from tests.e2e.servers import wait_for
from tests.support.cluster import Testbed

PODS = 200
PATIENCE = 420.0
AGENT = b"/runner/agent/pod/__main__.py"


def memory(testbed: Testbed) -> Iterator[Figure]:
    """Yield the controller's memory with many Pods, and an agent's while its step runs."""
    with open_stage(testbed, 0) as stage:
        assert stage.server.process is not None
        server = stage.server.process.pid
        idle = mebibytes(server)
        with _running(stage, PODS):
            crowded = mebibytes(server)
            agents = [mebibytes(agent) for agent in agents_now()]
    bare = _bare_interpreter()
    yield Figure(f"controller with {PODS} Pods", "MiB", crowded, idle, "idle")
    yield Figure("agent while its step runs", "MiB", max(agents), bare, "bare Python")


@contextmanager
def peak_of_agents() -> Iterator[list[float]]:
    """Give a list that holds, after the block, the most that any agent had, in MiB."""
    peaks: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            peaks.append(max((mebibytes(agent, "VmHWM") for agent in agents_now()), default=0.0))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()
        peaks[:] = [max(peaks)]


def agents_now() -> list[int]:
    """Return the processes that are agents in Pods now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if AGENT in command:
            found.append(int(process.name))
    return found


def mebibytes(process: int, what: str = "VmRSS") -> float:
    """Return what a process has in memory, or had at most (`VmHWM`); 0 if it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(what)), 0.0)


@contextmanager
def _running(stage: Stage, count: int) -> Iterator[None]:
    """Have so many steps run at the same time, and cancel them after the block."""
    steps = "\n".join(f"  s{number}: {{run: sleep 3600}}" for number in range(count))
    run = stage.push(f"steps:\n{steps}\n")

    def all_run() -> bool:
        states = [str(step["state"]) for step in stage.server.run(run)["steps"]]
        return states.count("running") == count

    wait_for(f"{count} steps to run", all_run, PATIENCE)
    time.sleep(5)  # whatever comes with a start is over
    yield
    stage.server.cli("cancel", run)
    stage.ended(run)


def _bare_interpreter() -> float:
    """Return what an interpreter has in memory that does nothing."""
    wait = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return mebibytes(process.pid)
