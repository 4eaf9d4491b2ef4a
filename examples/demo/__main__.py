"""The main job, shown: a git push becomes a run, and comes back as a status and a badge.

Starts a server on loopback, makes a bare repository with a pipeline, pushes to it three times
(green, red, repaired), shows the graph as it runs, and leaves nothing behind; with `--keep` the
server stays up to play with.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runner.cli.show import described

PROJECT = Path(__file__).parent / "project"
HOOKLINE = str(Path(sys.executable).with_name("hookline"))
NAME = "acme/words"
BROKEN = "(len(word), word), reverse=True"
WHOLE = "(len(word), word)"


@dataclass(frozen=True)
class Stage:
    """Where the demo plays: a folder of its own, a server's address, and their environment."""

    folder: Path
    url: str
    environment: dict[str, str]

    def hookline(self, *arguments: str) -> str:
        """Run the command line; return what it printed."""
        return self._run(HOOKLINE, *arguments)

    def git(self, *arguments: str) -> str:
        """Run git in the work tree; return what it printed."""
        return self._run("git", "-C", str(self.folder / "work"), *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def get(self, path: str) -> bytes:
        """Return what the server answers."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return bytes(answer.read())

    def run(self, number: int) -> dict[str, Any]:
        """Return a run by its number, as the API tells it; empty before it is there."""
        found = json.loads(self.get(f"/api/v1/runs?repository={NAME}&number={number}"))["runs"]
        return dict(json.loads(self.get(f"/api/v1/runs/{found[0]['id']}"))) if found else {}


def main() -> None:
    """Show everything; exits with 1 if any of it did not come out as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the server up to play with")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting of the server, such as HOOKLINE_EXECUTOR=kubernetes",
    )
    given = parser.parse_args()
    keep = given.keep
    settings = dict(setting.split("=", 1) for setting in given.set)
    began = time.monotonic()
    with stage(settings, keep=keep) as here:
        show(here)
        tell_how(here, keep=keep)
        print(f"\nThat took {time.monotonic() - began:.0f} s.")


@contextmanager
def stage(settings: Mapping[str, str], *, keep: bool) -> Iterator[Stage]:
    """Start a server in a folder of its own, and take both away in the end unless asked not to."""
    folder = Path(tempfile.mkdtemp(prefix="hookline-demo-"))
    port = _free_port()
    environment = {**_environment(folder, port), **settings}
    here = Stage(folder, f"http://127.0.0.1:{port}", environment)
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(
        [HOOKLINE, "serve"],
        env=here.environment,
        cwd=folder,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_ready(here, server)
        yield here
    except BaseException:
        keep = False
        raise
    finally:
        if keep:
            print(f"\nThe server goes on; to end it:\n  kill {server.pid} && rm -r {folder}")
        else:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
            shutil.rmtree(folder)


def _environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    who = {"NAME": "Ann", "EMAIL": "ann@example.com"}
    for role in ("AUTHOR", "COMMITTER"):
        kept |= {f"GIT_{role}_{what}": value for what, value in who.items()}
    return kept | {
        "HOOKLINE_DATA": str(folder / "data"),
        "HOOKLINE_LISTEN__PORT": str(port),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(here: Stage, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            sys.exit(f"the server ended:\n{(here.folder / 'server.log').read_text()}")
        try:
            here.get("/readyz")
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    sys.exit("the server does not get ready")


def show(here: Stage) -> None:
    """Push three times: green, red, repaired."""
    bare = here.folder / "words.git"
    title("A bare repository, registered, with a hook that tells the server of every push")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    say("hookline repo add --public", NAME, "words.git")
    here.hookline("repo", "add", "--public", NAME, str(bare))
    say("hookline hook install words.git")
    print(here.hookline("hook", "install", str(bare), "--name", NAME))

    title("The first push: what the pusher sees")
    shutil.copytree(PROJECT, here.folder / "work")
    subprocess.run(["git", "init", "-q", "-b", "main", str(here.folder / "work")], check=True)
    here.git("remote", "add", "origin", str(bare))
    print(push(here, "Count and sort words"))
    watch(here, 1, "success")

    title("A second push breaks the sorting: the graph as it runs")
    edit(here, WHOLE, BROKEN)
    print(push(here, "Sort the other way round", "-o", "ci.nowait"))
    watch(here, 2, "failure")
    say("hookline logs", f"{NAME}#2")
    print(indented(here.hookline("logs", f"{NAME}#2")))

    title("A third push repairs it")
    edit(here, BROKEN, WHOLE)
    print(push(here, "Sort the right way again", "-o", "ci.nowait"))
    watch(here, 3, "success")

    title("The result on the commits, as git notes")
    print(indented(notes(here)))

    title("The badge")
    badge = here.get(f"/badges/{NAME}.svg").decode()
    (here.folder / "badge.svg").write_text(badge)
    print(f"  {here.url}/badges/{NAME}.svg  says  {badge.split('<title>')[1].split('<')[0]}")


def notes(here: Stage) -> str:
    """Return the commits with their notes, once the newest says how its run ended."""
    told = ""
    for _ in range(300):
        here.git("fetch", "-q", "-f", "origin", "refs/notes/*:refs/notes/*")
        told = here.git("log", "--notes=hookline", "--format=%h %s%n  %N")
        if "pending" not in told:
            break
        time.sleep(0.1)
    return told


def push(here: Stage, message: str, *options: str) -> str:
    """Commit everything and push it; return what git says."""
    here.git("add", "-A")
    here.git("commit", "-q", "-m", message)
    say("git push", *options, "origin main")
    return indented(here.git("push", *options, "origin", "main"))


def edit(here: Stage, old: str, new: str) -> None:
    """Change the sorting."""
    source = here.folder / "work" / "words" / "sorting.py"
    text = source.read_text()
    if old not in text:
        sys.exit(f"{source} does not hold {old!r}")
    source.write_text(text.replace(old, new))


def watch(here: Stage, number: int, expected: str) -> None:
    """Show a run's graph whenever it changes, until it has ended as it should."""
    shown: list[str] = []
    run: dict[str, Any] = {}
    for _ in range(1200):
        run = here.run(number)
        states = [step["state"] for step in run.get("steps", [])]
        if states and states != shown:
            for line in described(run, time.time(), 100):
                print(" ", line if sys.stdout.isatty() else click.unstyle(line))
            print()
            shown = states
        if run and run["ended_at"] is not None:
            break
        time.sleep(0.1)
    if not run or run["status"] != expected:
        sys.exit(f"run {number} should be a {expected}: {json.dumps(run, indent=1)}")


def tell_how(here: Stage, *, keep: bool) -> None:
    """Say where to look and what to type."""
    run = here.run(2)
    title("To look at" if keep else "With `make demo KEEP=1` the server stays up, and you could")
    data = here.environment["HOOKLINE_DATA"]
    print(f"""
  the page of the red run     {run["url"]}
  the badge                   {here.url}/badges/{NAME}.svg
  what runs there were        hookline runs
  the log of what failed      hookline logs {NAME}#2
  run again what failed       hookline rerun --failed --wait {NAME}#2

  with these two variables set:
    export HOOKLINE_DATA={data}
    export HOOKLINE_LISTEN__PORT={here.url.rpartition(":")[2]}""")


def title(text: str) -> None:
    """Begin a part."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def say(*words: str) -> None:
    """Show what is typed."""
    print("  $", *words)


def indented(text: str) -> str:
    """Return a text set in a little."""
    return "\n".join(f"  {line}" for line in _trimmed(text.splitlines()))


def _trimmed(lines: Sequence[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]


if __name__ == "__main__":
    main()
