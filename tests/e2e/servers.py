"""A real server process with folders of its own, spoken to as its users do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

HOOKLINE = str(Path(sys.executable).with_name("hookline"))
PATIENCE = 90.0


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment without anything of Hookline's, and with a fixed git identity."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    who = {"NAME": "Ann", "EMAIL": "ann@example.com"}
    for role in ("AUTHOR", "COMMITTER"):
        kept |= {f"GIT_{role}_{what}": value for what, value in who.items()}
    kept |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return kept | extra


def wait_for(what: str, found: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return what `found` returns as soon as it is true; fail, naming `what`, if it never is."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.1)
    message = f"no {what} within {patience} seconds"
    raise AssertionError(message)


@dataclass
class Server:
    """`hookline serve` on a free port; started, killed and started again as a test likes."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Choose a port and an environment."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.environment = clean_environment(
            HOOKLINE_DATA=str(self.data),
            HOOKLINE_LISTEN__PORT=str(self.port),
            HOOKLINE_LOCAL__CONCURRENCY="2",
            **self.settings,
        )

    def start(self) -> Server:
        """Start the process and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [HOOKLINE, "serve"],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for("answer of /readyz", self._ready)
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    def kill(self) -> None:
        """End the process as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        """End the process as its administrator would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def cli(self, *arguments: str, check: bool = True, stdin: str = "") -> str:
        """Run the command line; return what it printed."""
        done = subprocess.run(
            [HOOKLINE, *arguments],
            env=self.environment,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def get(self, path: str, **parameters: str) -> httpx2.Response:
        """Ask the server with the token of its own machine."""
        token = (self.data / "admin.token").read_text().strip()
        return httpx2.get(
            self.url + path,
            params=parameters,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    def runs(self, repository: str) -> list[dict[str, Any]]:
        """Return the runs of a repository, newest first."""
        return list(self.get("/api/v1/runs", repository=repository).json()["runs"])

    def run(self, run: str) -> dict[str, Any]:
        """Return a run with its steps."""
        return dict(self.get(f"/api/v1/runs/{run}").json())

    def ended(self, run: str, attempt: int = 1) -> dict[str, Any]:
        """Wait until an attempt of a run has ended; return the run."""

        def found() -> dict[str, Any] | None:
            told = self.run(run)
            over = told["ended_at"] is not None and told["attempt"] >= attempt
            return told if over else None

        return dict(wait_for(f"end of run {run}", found))

    def newest(self, repository: str, number: int = 1) -> dict[str, Any]:
        """Wait until a repository has its n-th run, and that has ended; return it."""

        def found() -> dict[str, Any] | None:
            return next((run for run in self.runs(repository) if run["number"] == number), None)

        return self.ended(wait_for(f"run {number} of {repository}", found)["id"])


def states(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of every step of a run."""
    return {step["name"]: step["state"] for step in run["steps"]}


def step(run: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a step of a run."""
    return dict(next(step for step in run["steps"] if step["name"] == name))


def pretty(value: object) -> str:
    """Return a value as a failing test should show it."""
    return json.dumps(value, indent=1)
