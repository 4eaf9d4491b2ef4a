#!/usr/bin/env python3
"""The `post-receive` hook of a bare repository: tells Hookline what was pushed.

This file runs alone, copied into a repository's `hooks` folder beside its `hookline.json`: it needs
Python 3.9 or later and git, and nothing else. `webhooks/install.py` puts it there. What it prints
the pusher sees behind `remote:`; the push itself always stands, whatever happens in here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

SETTINGS = "hookline.json"
CHAINED = "post-receive.before-hookline"
TIMEOUT = 10.0
PAUSES = (0.5, 1.0, 2.0)
PATIENCE = 15.0
LONGEST_WAIT = 6 * 3600.0
MESSAGES = 100
MESSAGE_LIMIT = 16384

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_TOLD_REFS = ("refs/heads/", "refs/tags/")


class Trouble(Exception):
    """Why no run was started, in words for the pusher."""


@dataclass(frozen=True)
class World:
    """What the hook touches outside itself: where it lies, its environment, time, and its voice."""

    folder: Path
    environ: Mapping[str, str]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Settings:
    """What `hookline.json` holds: the hook's URL, its secret, and how many seconds to wait."""

    url: str
    secret: bytes
    wait: float


@dataclass(frozen=True)
class Answer:
    """What the server said: the HTTP status and the JSON object in its body."""

    status: int
    content: dict[str, Any]


def main(world: World, pushed: bytes) -> None:
    """Tell the server of the `OLD NEW REF` lines in `pushed`, and the pusher what came of it."""
    run_chained(world, pushed)
    moved = changes(pushed)
    if not moved:
        return
    try:
        settings = read_settings(world.folder)
        wait = wanted_wait(world, settings.wait)
        answer = deliver(world, settings, body_of(world, moved))
        tell(world, settings, answer, wait)
    except Trouble as trouble:
        world.say(f"hookline: {trouble}")
        world.say("hookline: your push is in, but it started no run here")


def give_up(message: str) -> NoReturn:
    """Raise Trouble."""
    raise Trouble(message) from None


def run_chained(world: World, pushed: bytes) -> None:
    """Run the hook that was here before, with the same input; its failure stops nothing."""
    path = world.folder / CHAINED
    if not path.exists():
        return
    try:
        code = subprocess.run([str(path)], input=pushed, check=False).returncode  # noqa: S603
    except OSError as error:
        world.say(f"hookline: {CHAINED} cannot be run: {error.strerror}")
        return
    if code:
        world.say(f"hookline: {CHAINED} ended with {code}")


def changes(pushed: bytes) -> list[dict[str, str]]:
    """Return the branches and tags that moved, as the server wants them, without texts."""
    found = []
    for entry in pushed.decode("utf-8", "surrogateescape").splitlines():
        before, _, rest = entry.partition(" ")
        after, _, ref = rest.partition(" ")
        if ref.startswith(_TOLD_REFS):
            found.append({"ref": ref, "before": before, "after": after})
    return found


def read_settings(folder: Path) -> Settings:
    """Return what `hookline.json` in `folder` says; Trouble if it does not."""
    path = folder / SETTINGS
    try:
        found = json.loads(path.read_text("utf-8"))
        key = base64.b64decode(found["secret"].removeprefix("whsec_"), validate=True)
        settings = Settings(str(found["url"]), key, float(found.get("wait", 0)))
    except OSError as error:
        give_up(f"{path} cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError):
        give_up(f"{path} is broken; install the hook again")
    if not key or urlsplit(settings.url).scheme not in ("http", "https"):
        give_up(f"{path} holds no usable url and secret; install the hook again")
    return settings


def options(environ: Mapping[str, str]) -> list[str]:
    """Return what was pushed with `git push -o`."""
    count = environ.get("GIT_PUSH_OPTION_COUNT", "0")
    names = [f"GIT_PUSH_OPTION_{number}" for number in range(int(count) if count.isdigit() else 0)]
    return [environ.get(name, "") for name in names]


def wanted_wait(world: World, configured: float) -> float:
    """Return how many seconds the pusher wants to watch: the last of the options that say so."""
    wait = configured
    for option in options(world.environ):
        name, _, value = option.partition("=")
        if name == "ci.nowait":
            wait = 0.0
        elif name == "ci.wait" and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
            wait = float(value)
        elif name == "ci.wait":
            world.say(f"hookline: push option {option} is not understood; say ci.wait=SECONDS")
    return min(wait, LONGEST_WAIT)


def body_of(world: World, moved: list[dict[str, str]]) -> bytes:
    """Return the message to the server: what moved, with its head commits' words, and by whom."""
    for change in moved[:MESSAGES]:
        change["author"], change["message"] = head_of(world, change["after"])
    told = {
        "type": "push",
        "changes": moved,
        "pusher": world.environ.get("USER", ""),
        "options": options(world.environ),
    }
    return json.dumps(told).encode("ascii")


def head_of(world: World, commit: str) -> tuple[str, str]:
    """Return author and message of a commit or of what a tag points at; empty where there is none.

    They are an adornment: where git cannot tell them, the run goes on without.
    """
    if not _COMMIT.fullmatch(commit) or set(commit) == {"0"}:
        return "", ""
    command = ["git", "log", "-1", "--no-color", "--no-show-signature", "--encoding=UTF-8"]
    command += ["--format=%an%x00%B", commit, "--"]
    try:
        told = subprocess.run(  # noqa: S603
            command, env=dict(world.environ), capture_output=True, check=False, timeout=TIMEOUT
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "", ""
    author, _, message = told.decode("utf-8", "replace").partition("\0")
    return author.strip()[:255], message.strip()[:MESSAGE_LIMIT]


def signed(settings: Settings, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the request headers, signed the Standard Webhooks way."""
    content = f"{message_id}.{timestamp}.".encode() + body
    mac = hmac.new(settings.secret, content, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "hookline-post-receive",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(mac).decode("ascii"),
    }


def deliver(world: World, settings: Settings, body: bytes) -> Answer:
    """Return the server's answer; tried a few times, always under the same id, so one act stays one.

    Trouble if the server cannot be reached or keeps failing. No try begins after PATIENCE seconds:
    somebody sits at the other end and waits for their push to return.
    """
    message_id = uuid.uuid4().hex
    deadline = world.timer() + PATIENCE
    answer = attempt(world, settings, message_id, body)
    for pause in PAUSES:
        if isinstance(answer, Answer) or world.timer() > deadline:
            break
        world.sleep(pause)
        answer = attempt(world, settings, message_id, body)
    return answer if isinstance(answer, Answer) else give_up(answer)


def attempt(world: World, settings: Settings, message_id: str, body: bytes) -> Answer | str:
    """Return the server's answer, or why there is none that another try would not change."""
    headers = signed(settings, message_id, int(world.clock()), body)
    try:
        answer = post(settings, headers, body)
    except (OSError, http.client.HTTPException) as error:
        return f"the server at {place(settings)} cannot be reached: {error}"
    if answer.status >= 500 or answer.status == 429:
        return f"the server at {place(settings)} answers with HTTP {answer.status}"
    return answer


def post(settings: Settings, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return the answer to one POST; OSError or HTTPException if none comes."""
    parts = urlsplit(settings.url)
    with contextlib.closing(connection(settings.url, TIMEOUT)) as link:
        link.request("POST", parts.path or "/", body, dict(headers))
        response = link.getresponse()
        text = response.read(1 << 20)
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        content = {}
    return Answer(response.status, content if isinstance(content, dict) else {})


def connection(url: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection to the server in `url`, not yet opened; OSError if it names none."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise OSError(str(error)) from None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, port, timeout=timeout)


def place(settings: Settings) -> str:
    """Return the server's address for the pusher, without the hook's id in it."""
    parts = urlsplit(settings.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def tell(world: World, settings: Settings, answer: Answer, wait: float) -> None:
    """Say what the server did with the push, and watch its runs for `wait` seconds."""
    check_taken(answer)
    content = answer.content
    if "ignored" in content:
        world.say(f"hookline: ignored: {plain(content['ignored'])}")
        return
    runs = runs_of(content)
    for run in runs:
        name = short(plain(run.get("ref")))
        world.say(f"hookline: run {plain(run.get('number'))} of {name}: {plain(run.get('url'))}")
    follow = content.get("follow")
    if wait > 0 and isinstance(follow, str) and not watch(world, settings, follow, wait):
        for run in runs:
            world.say(f"hookline: still running: {plain(run.get('url'))}")


def check_taken(answer: Answer) -> None:
    """Raise Trouble unless the server took the delivery."""
    if answer.status == 401:
        give_up("the server does not take this hook's signature; install the hook again")
    if answer.status != 202:
        why = plain(answer.content.get("message", ""))
        give_up(f"the server refuses the push (HTTP {answer.status}): {why}")


def runs_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs in the server's answer."""
    found = content.get("runs")
    return [run for run in found if isinstance(run, dict)] if isinstance(found, list) else []


def watch(world: World, settings: Settings, follow: str, wait: float) -> bool:
    """Say the lines that the server streams at the path `follow`; True if it came to its end."""
    if not follow.startswith("/") or follow.startswith("//"):
        world.say("hookline: the server gives no path to follow")
        return True
    deadline = world.timer() + wait
    try:
        for text in stream(settings.url, follow, lambda: deadline - world.timer()):
            world.say(plain(text))
    except (OSError, http.client.HTTPException):
        return False
    return True


def stream(url: str, path: str, remaining: Callable[[], float]) -> Iterator[str]:
    """Yield the lines at a path on the server; TimeoutError when no time remains."""
    with contextlib.closing(connection(url, max(remaining(), 0.001))) as link:
        link.connect()
        wire = link.sock
        link.request("GET", path, headers={"Accept": "text/plain", "Connection": "close"})
        response = link.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"HTTP {response.status}")
        while True:
            left = remaining()
            if left <= 0:
                raise TimeoutError
            wire.settimeout(left)
            text = response.readline(4096)
            if not text:
                return
            yield text.decode("utf-8", "replace").rstrip("\r\n")


def short(ref: str) -> str:
    """Return a ref as people say it: `main`, `tag v1`."""
    if ref.startswith("refs/tags/"):
        return "tag " + ref[len("refs/tags/") :]
    return ref.removeprefix("refs/heads/")


def plain(value: object) -> str:
    """Return text that cannot steer the pusher's terminal."""
    text = _ESCAPES.sub("", str(value))
    return "".join(char for char in text if char.isprintable() or char == "\t")[:4096]


def speak(text: str) -> None:
    """Write one line to the pusher at once."""
    os.write(1, text.encode("utf-8", "backslashreplace") + b"\n")


if __name__ == "__main__":
    # A pusher who hangs up must not turn the hook's end into a failure.
    with contextlib.suppress(BrokenPipeError):
        here = World(Path(__file__).absolute().parent, os.environ, speak)
        main(here, sys.stdin.buffer.read())
