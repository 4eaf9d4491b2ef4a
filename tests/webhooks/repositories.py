"""Real git repositories for tests: a bare one that is pushed to, and a clone that pushes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

CLEAN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "LC_ALL": "C",
}


def environment() -> dict[str, str]:
    """This process's environment without git's own variables and without coverage's.

    A hook measured by coverage would print coverage's warnings to the pusher.
    """
    foreign = ("GIT_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **CLEAN}


def git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run git in a folder; what it printed, its standard error too."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**environment(), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def bare_repository(folder: Path) -> Path:
    bare = folder / "demo.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    return bare


def clone_of(bare: Path, folder: Path) -> Path:
    clone = folder / "clone"
    git(folder, "init", "-q", "-b", "main", str(clone))
    git(clone, "remote", "add", "origin", str(bare))
    return clone


def commit(clone: Path, message: str) -> str:
    git(clone, "commit", "-q", "--allow-empty", "-m", message)
    return git(clone, "rev-parse", "HEAD").strip()
