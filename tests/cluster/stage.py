"""A whole Hookline on a real cluster: a server process, a repository to push to, Pods, an object store."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.servers import Server, wait_for

REPOSITORY = "acme/demo"
PATIENCE = 240.0


class Stage:
    """A server that runs steps as Pods, and a work tree whose pushes it hears of.

    `settings` are the variables that tell it of cluster and store; see `settings_for`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.server = Server(folder, settings)
        self.bare = folder / "demo.git"
        self.work = folder / "work"
        self._pushes = 0

    def open(self) -> Stage:
        """Start the server and tell it of the repository."""
        self.server.start()
        self._run("git", "init", "-q", "--bare", "-b", "main", str(self.bare))
        self.server.cli("repo", "add", "--public", REPOSITORY, str(self.bare))
        self.server.cli("hook", "install", str(self.bare), "--name", REPOSITORY, "--wait", "0")
        self._run("git", "clone", "-q", str(self.bare), str(self.work))
        return self

    def push(self, pipeline: str, files: Mapping[str, str] | None = None) -> str:
        """Commit a pipeline (and files) and push; return the id of the run it becomes."""
        for name, text in {".ci.yaml": pipeline, **(files or {})}.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "A change")
        branch = f"b{self._pushes}"
        self._pushes += 1
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")

        def found() -> str | None:
            runs = self.server.runs(REPOSITORY)
            return next((str(run["id"]) for run in runs if run["branch"] == branch), None)

        return str(wait_for(f"run of {branch}", found))

    def ended(self, run: str, attempt: int = 1) -> dict[str, Any]:
        """Wait until a run has ended; return it."""

        def found() -> dict[str, Any] | None:
            told = self.server.run(run)
            over = told["ended_at"] is not None and told["attempt"] >= attempt
            return told if over else None

        return dict(wait_for(f"end of run {run}", found, PATIENCE))

    def until(self, run: str, step: str, *states: str) -> dict[str, Any]:
        """Wait until a step is in one of some states; return it."""

        def found() -> dict[str, Any] | None:
            steps = self.server.run(run)["steps"]
            return next((s for s in steps if s["name"] == step and s["state"] in states), None)

        return dict(wait_for(f"{step} of {run} to be {' or '.join(states)}", found, PATIENCE))

    def log(self, run: str, step: str, attempt: int | None = None) -> str:
        """Return the log of a step as the command line prints it."""
        chosen = ["--attempt", str(attempt)] if attempt else []
        return self.server.cli("logs", run, step, *chosen)

    def git(self, *arguments: str) -> str:
        """Run git in the work tree."""
        return self._run("git", "-C", str(self.work), *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self.server.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


class Tally:
    """What steps told over HTTP: how often each path was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: Counter[str] = Counter()
        self._mutex = threading.Lock()

    def add(self, path: str) -> None:
        """Count a path."""
        with self._mutex:
            self.told[path] += 1


@contextmanager
def tally(host: str) -> Iterator[Tally]:
    """Listen at an address of this machine that Pods reach, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counted.add(self.path.strip("/"))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server((host, 0), Handler)
    counted = Tally(f"http://{host}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, name="tally")
    thread.start()
    try:
        yield counted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
