"""Real S3 servers on the loopback address, which tests may pause, stop and rob of a drive."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.settings_model import S3
from tests.testbed.tools import TestbedError, binary

_SECONDS = 60
ACCESS_KEY = "hookline-testbed"
SECRET_KEY = "only-for-tests"


class Server:
    """A process that can be started again under the same address."""

    def __init__(
        self, command: Sequence[str | Path], environ: Mapping[str, str], log: Path, ready: str
    ) -> None:
        self._command = command
        self._environ = {"PATH": os.defpath, "HOME": str(log.parent), **environ}
        self._log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; TestbedError with its log if it never does."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + _SECONDS
        while not _answers(self._ready):
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                message = f"{self._command[0]} did not start:\n{self._log.read_text()}"
                raise TestbedError(message)
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal if it runs; SIGSTOP has worked when this returns."""
        if self._process is not None:
            self._process.send_signal(number)
            if number == signal.SIGSTOP:
                os.waitpid(self._process.pid, os.WUNTRACED)

    def stop(self) -> None:
        """Kill it."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_SECONDS)


@dataclass(frozen=True)
class StoreServer:
    """An S3 server that runs: its address, its owner's key, and the folders it keeps all in."""

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path
    drives: tuple[Path, ...]
    server: Server

    def settings(self, **changes: Any) -> S3:
        """Return the settings that lead to it; `changes` are other values for single ones."""
        values = {
            "endpoint": self.endpoint,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "patience": 20.0,
        }
        return S3.model_validate(values | changes)

    def client(self) -> Any:
        """Return boto3's client with the owner's key."""
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def make_bucket(self, name: str = "hookline") -> str:
        """Make a bucket and return its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def mc(self, *arguments: str | Path) -> str:
        """Run `mc`, to which this server is `store`, and return what it printed."""
        host = self.endpoint.replace("//", f"//{self.access_key}:{self.secret_key}@")
        done = subprocess.run(
            [binary("mc"), "--quiet", "--no-color", *arguments],
            env={"PATH": os.defpath, "HOME": str(self.folder), "MC_HOST_store": host},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode:
            message = f"mc {' '.join(map(str, arguments))} failed: {output}"
            raise TestbedError(message)
        return output

    def pause(self) -> None:
        """Let it stand still: connections stay open and nothing answers."""
        self.server.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self.server.send(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it; connections break off."""
        self.server.stop()

    def start(self) -> None:
        """Start it again after a stop, with what it had stored."""
        self.server.start()

    def remove_drive(self, number: int) -> None:
        """Delete a drive with everything on it, as if it had broken."""
        while self.drives[number].exists():
            # The server may be writing there; what it makes meanwhile goes too.
            shutil.rmtree(self.drives[number], ignore_errors=True)


@contextmanager
def minio(drives: int = 1, environ: Mapping[str, str] | None = None) -> Iterator[StoreServer]:
    """Run MinIO, with more than three drives as an erasure set; all of it ends with the block."""
    program = binary("minio")
    with _folder() as folder:
        port = _free_port()
        place = str(folder / "d1") if drives == 1 else f"{folder}/d{{1...{drives}}}"
        server = Server(
            [program, "server", "--quiet", "--address", f"127.0.0.1:{port}", place],
            {
                "MINIO_ROOT_USER": ACCESS_KEY,
                "MINIO_ROOT_PASSWORD": SECRET_KEY,
                "MINIO_BROWSER": "off",
                # Without it, drives that are folders of the root disk are refused.
                "MINIO_CI_CD": "1",
                **(environ or {}),
            },
            folder / "log",
            f"http://127.0.0.1:{port}/minio/health/cluster",
        )
        folders = tuple(folder / f"d{number + 1}" for number in range(drives))
        with _running(server):
            yield _store(f"http://127.0.0.1:{port}", folder, folders, server)


@contextmanager
def versitygw(
    *options: str | Path, buckets: Sequence[str] = (), scheme: str = "http"
) -> Iterator[StoreServer]:
    """Run versitygw on a folder; all of it ends with the block.

    `options` are its own; `buckets` are made as folders beforehand, also if it may not write.
    With the scheme `https` the options must name a certificate.
    """
    program = binary("versitygw")
    with _folder() as folder:
        port = _free_port()
        drive = folder / "d1"
        for name in ("", *buckets):
            (drive / name).mkdir()
        listen = ["--quiet", "--keep-alive", "--health", "/health", "--port", f"127.0.0.1:{port}"]
        server = Server(
            [program, *listen, *options, "posix", drive],
            {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
            folder / "log",
            f"{scheme}://127.0.0.1:{port}/health",
        )
        with _running(server):
            yield _store(f"{scheme}://127.0.0.1:{port}", folder, (drive,), server)


def _store(endpoint: str, folder: Path, drives: tuple[Path, ...], server: Server) -> StoreServer:
    return StoreServer(endpoint, ACCESS_KEY, SECRET_KEY, folder, drives, server)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hookline-store-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()


def _answers(url: str) -> bool:
    """Say whether it answers with 200, whoever signed its certificate."""
    unverified = ssl._create_unverified_context()
    with suppress(OSError), urllib.request.urlopen(url, timeout=5, context=unverified) as answer:
        return bool(answer.status == 200)
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
