"""A chain of ten trivial steps through Hookline, against the same ten commands in a shell script."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, median_of
from runner.local_run import open_local_run

LENGTH = 10
COMMAND = "echo hello > step.out"


def measure(rounds: int = 5) -> list[Figure]:
    """Return the whole chain and what one step of it costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder)
        script = median_of(lambda: _timed(lambda: _script(folder)), rounds)
        chain = median_of(lambda: _chain(folder), rounds)
    return [
        Figure(f"chain of {LENGTH} trivial steps", "s", chain, script, "the same shell script"),
        Figure("one step of it", "s", chain / LENGTH, script / LENGTH, "one line of the script"),
    ]


def _write(folder: Path) -> None:
    steps = [
        f"  s{n}: {{run: '{COMMAND}'{f', needs: s{n - 1}' if n else ''}}}" for n in range(LENGTH)
    ]
    (folder / ".ci.yaml").write_text("steps:\n" + "\n".join(steps) + "\n")
    (folder / "all.sh").write_text(f"sh -ec '{COMMAND}'\n" * LENGTH)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


def _script(folder: Path) -> None:
    subprocess.run(["sh", "-e", "all.sh"], cwd=folder, check=True)


def _chain(folder: Path) -> float:
    """Return the seconds from the first step's turn to the last one's end."""
    with open_local_run(folder) as run:
        for _ in run.watch():
            pass
        assert run.status == "success"
        machine = run.machine
        assert machine is not None
        assert machine.began_at is not None
        assert machine.ended_at is not None
        return machine.ended_at - machine.began_at


def _timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
