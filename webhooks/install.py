"""Puts the `post-receive` hook into a bare repository, and takes it out again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit

from webhooks import post_receive
from webhooks.errors import InstallError
from webhooks.signatures import check_standard_secret

HOOK = "post-receive"

# What tells our own hook from somebody else's; it stands in the docstring of post_receive.
_MARK = "tells Hookline what was pushed"
_SHEBANG = re.compile(r"\A#![^\n]*\n")
_LONGEST_SHEBANG = 120


def install(
    bare: Path, url: str, hook_id: str, secret: str, wait: float = 0.0, *, chain: bool = False
) -> Path:
    """Make pushes into the bare repository `bare` known to the Hookline at `url`.

    `hook_id` and `secret` are the hook's there, `wait` how many seconds a push watches its runs.
    Over our own hook it installs anew; a foreign hook is refused, or with `chain` kept and run
    first. Returns the path of the hook. InstallError says what stands against it.
    """
    check_standard_secret(secret)
    check(bare, chain=chain)
    path = _hooks(bare) / HOOK
    settings = {"url": _hook_url(url, hook_id), "secret": secret, "wait": wait}
    _make_room(path, chain=chain)
    path.parent.mkdir(exist_ok=True)
    _write(path.with_name(post_receive.SETTINGS), json.dumps(settings, indent=2) + "\n", 0o600)
    _write(path, script(sys.executable), 0o755)
    _git(bare, "config", "receive.advertisePushOptions", "true")
    return path


def check(bare: Path, *, chain: bool = False) -> None:
    """Raise the InstallError that `install` would raise for this repository; change nothing."""
    _check_repository(bare)
    _room(_hooks(bare) / HOOK, chain=chain)


def uninstall(bare: Path) -> bool:
    """Take our hook out of a bare repository and put a chained one back; False if it was not there.

    `receive.advertisePushOptions` stays as it is: other hooks may have come to need it.
    """
    _check_repository(bare)
    path = _hooks(bare) / HOOK
    path.with_name(post_receive.SETTINGS).unlink(missing_ok=True)
    if not _is_ours(path):
        return False
    path.unlink()
    chained = path.with_name(post_receive.CHAINED)
    if chained.exists():
        chained.rename(path)
    return True


def script(python: str) -> str:
    """Return the hook's text, to be run by the interpreter at the path `python`.

    A path that the kernel would not take in a first line gives way to `python3` on the PATH.
    """
    text = Path(post_receive.__file__).read_text("utf-8")
    fits = not re.search(r"\s", python) and len(python) <= _LONGEST_SHEBANG
    first = f"#!{python} -I\n" if python and fits else "#!/usr/bin/env python3\n"
    return _SHEBANG.sub(lambda _: first, text, count=1)


def _hooks(bare: Path) -> Path:
    return bare / "hooks"


def _hook_url(url: str, hook_id: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        _refuse(f"{url!r} is no address; give the one of the server, like http://HOST:8000")
    return f"{url.rstrip('/')}/hooks/git/{quote(hook_id, safe='')}"


def _check_repository(bare: Path) -> None:
    told = _git(bare, "rev-parse", "--is-bare-repository")
    if told.stdout.strip() != "true":
        why = told.stderr.strip() or "it has a working tree"
        _refuse(f"{bare} is no bare git repository ({why}); give the one that is pushed to")
    elsewhere = _git(bare, "config", "--get", "core.hooksPath").stdout.strip()
    if elsewhere:
        _refuse(f"{bare} takes its hooks from core.hooksPath {elsewhere}; unset that first")


def _make_room(path: Path, *, chain: bool) -> None:
    kept = _room(path, chain=chain)
    if kept is not None:
        path.rename(kept)


def _room(path: Path, *, chain: bool) -> Path | None:
    """Return where a foreign hook is to be kept; None if there is none."""
    if not os.path.lexists(path) or _is_ours(path):
        return None
    kept = path.with_name(post_receive.CHAINED)
    if not chain:
        _refuse(f"{path} is somebody else's; with --chain it is kept as {kept.name} and run first")
    if kept.exists():
        _refuse(f"both {path} and {kept} are somebody else's; remove one of them")
    return kept


def _is_ours(path: Path) -> bool:
    try:
        return _MARK in path.read_text("utf-8", "replace")[:1024]
    except OSError:
        return False


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file in one step; it never exists with a wider mode or half its text."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    fresh.replace(path)


def _git(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # An inherited GIT_DIR or GIT_CONFIG must not point it at another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", f"--git-dir={bare}", *arguments]
    try:
        return subprocess.run(  # noqa: S603
            command, env=environ, capture_output=True, text=True, check=False, timeout=30
        )
    except OSError as error:
        _refuse(f"git cannot be run: {error.strerror}")


def _refuse(message: str) -> NoReturn:
    raise InstallError(message)
