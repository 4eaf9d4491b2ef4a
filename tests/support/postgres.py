"""A PostgreSQL server that lives as long as a test session: own folder, own port, loopback only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ACCOUNT = "postgres"
_PLACES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/pgsql-*/bin")
_SECONDS = 60
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


def server_binaries() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`, None where there is no server."""
    found = [path for place in _PLACES for path in sorted(Path("/").glob(place[1:]))]
    on_path = shutil.which("postgres")
    folders = [*reversed(found), *([Path(on_path).parent] if on_path else [])]
    return next((path for path in folders if (path / "initdb").exists()), None)


@contextmanager
def postgres_server(binaries: Path) -> Iterator[str]:
    """Start a server on a free port and give its URL; it and its folder end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="hookline-pg-"))
    account = _ACCOUNT if os.geteuid() == 0 else None
    try:
        if account:
            shutil.chown(folder, account)
        _make_cluster(binaries, folder, account)
        port = _free_port()
        server = _start(binaries, folder, account, port)
        try:
            _wait(server, port, folder)
            yield f"postgresql://hookline@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(binaries: Path, folder: Path, account: str | None) -> None:
    """Run initdb; PostgreSQL refuses to be run by root, so another account does it then."""
    command: list[str | Path] = [
        binaries / "initdb",
        "-D",
        folder / "data",
        "-U",
        "hookline",
        "-A",
        "trust",
    ]
    options = ["-E", "UTF8", "--no-locale", "--no-sync"]
    subprocess.run(
        [*command, *options], user=account, cwd=folder, check=True, stdout=subprocess.DEVNULL
    )


def _start(binaries: Path, folder: Path, account: str | None, port: int) -> subprocess.Popen[bytes]:
    settings = [f"--{name}={value}" for name, value in {**_OPTIONS, "port": port}.items()]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *settings],
            user=account,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Wait until the server answers to a start packet."""
    import psycopg

    until = time.monotonic() + _SECONDS
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="hookline", dbname="postgres").close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > until:
                log = (folder / "log").read_text(errors="replace")
                message = f"PostgreSQL did not start: {error}\n{log}"
                raise RuntimeError(message) from error
            time.sleep(0.05)
        else:
            return
