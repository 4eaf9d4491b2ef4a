"""Deliveries accepted a second, from bytes to receipt, against a bare insert and commit."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure
from runner.clock import SystemClock
from runner.database import hooks, repositories
from runner.database.connection import open_database
from runner.database.migrations import migrate
from runner.inbox import DatabaseInbox
from runner.secrets import Keyring, hook_context
from runner.settings_model import Settings
from webhooks.forges.registry import all_forges
from webhooks.receiver import Receiver

COUNT = 400
THREADS = 4
SECRET = "a secret for this benchmark"


def measure() -> list[Figure]:
    """Return the rate of one sender after the other, and of several at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        baseline = _bare(folder / "bare.db")
        one = _accept(folder / "one", threads=1)
        many = _accept(folder / "many", threads=THREADS)
    against = "insert and commit of one row"
    return [
        Figure("deliveries accepted, one after the other", "1/s", one, baseline, against),
        Figure(f"deliveries accepted, {THREADS} at once", "1/s", many, baseline, against),
    ]


def _bare(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE deliveries (id INTEGER PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for number in range(COUNT):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO deliveries VALUES (?, ?)", (number, "x" * 500))
        connection.execute("COMMIT")
    return COUNT / (time.perf_counter() - began)


def _accept(folder: Path, threads: int) -> float:
    settings = Settings(data=folder)
    database = open_database(settings.database_url.get_secret_value())
    migrate(database)
    keyring = Keyring([b"k" * 32])
    with database.write() as tx:
        made = repositories.add(tx, name="a/b", forge="github", clone_url="https://x.test", at=0.0)
        sealed = (keyring.encrypt(SECRET, hook_context("hook")),)
        hooks.add(tx, hook_id="hook", repository_id=made.id, forge="github", secrets=sealed, at=0.0)
    inbox = DatabaseInbox(database, keyring, SystemClock(), settings, lambda: None)
    receiver = Receiver(inbox, all_forges())
    deliveries = [_delivery(number) for number in range(COUNT)]
    github = all_forges()["github"]
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda told: receiver.take(github, "hook", *told), deliveries))
    rate = COUNT / (time.perf_counter() - began)
    database.close()
    return rate


def _delivery(number: int) -> tuple[dict[str, str], bytes]:
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "before": f"{number:040x}",
            "after": f"{number + 1:040x}",
            "deleted": False,
            "repository": {"id": 1, "full_name": "a/b"},
            "head_commit": {"message": f"Change {number}", "author": {"name": "Ann"}},
            "pusher": {"name": "ann"},
        }
    ).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": f"delivery-{number}",
        "x-hub-signature-256": f"sha256={digest}",
    }
    return headers, body
