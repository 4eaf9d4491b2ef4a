"""`hookline secret`: values come from a pipe or a terminal, never from the command line."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import ScriptedApi

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0


def test_setting_from_a_pipe(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/secrets", {"repository": "acme/demo", "name": "KEY"}, 201)

    assert (
        ask("secret", "set", "acme/demo", "KEY", stdin="hush\n").output == "set KEY of acme/demo\n"
    )
    ask("secret", "set", "acme/demo", "KEY", stdin="two\nlines\n")

    assert api.bodies("POST", "/secrets") == [
        {"repository": "acme/demo", "name": "KEY", "value": "hush"},
        {"repository": "acme/demo", "name": "KEY", "value": "two\nlines\n"},
    ]


def test_a_value_that_cannot_be_a_secret_is_not_sent(ask: Invoke, api: ScriptedApi) -> None:
    told = ask("secret", "set", "acme/demo", "KEY", stdin="abc\n")

    assert told.exit_code == 2
    assert "the value has no line of 4 bytes or more" in told.stderr
    assert "Choose a longer one" in told.stderr
    assert api.bodies("POST", "/secrets") == []


def test_a_value_on_the_command_line_is_refused(ask: Invoke) -> None:
    assert ask("secret", "set", "acme/demo", "KEY", "hush").exit_code == 2


def test_setting_at_a_terminal_shows_nothing(api: ScriptedApi, tmp_path: Path) -> None:
    api.on("POST", "/secrets", {"repository": "acme/demo", "name": "KEY"}, 201)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "HOOKLINE_URL": api.url,
        "HOOKLINE_TOKEN": "hkl_test",
        "PYTHONPATH": str(ROOT),
    }
    words = [sys.executable, "-m", "runner.cli.main", "secret", "set", "acme/demo", "KEY"]

    typed = {b"of acme/demo: ": b"hush hush\n", b"confirmation: ": b"hush hush\n"}
    code, shown = at_a_terminal(words, environment, tmp_path, typed)

    assert code == 0, shown
    assert "Value of KEY of acme/demo" in shown
    assert "set KEY of acme/demo" in shown
    assert "hush" not in shown
    assert api.bodies("POST", "/secrets")[0]["value"] == "hush hush"


def at_a_terminal(
    words: list[str], environment: dict[str, str], folder: Path, typed: dict[bytes, bytes]
) -> tuple[int, str]:
    """Return how a command ended at a terminal and what was to be seen there.

    `typed` is what somebody types after each question: what is typed before would be shown by the
    terminal, and lost.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=folder,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            shown = b""
            for question, answer in typed.items():
                while question not in shown:
                    chunk = _read(ours)
                    assert chunk, shown
                    shown += chunk
                os.write(ours, answer)
            while chunk := _read(ours):
                shown += chunk
        finally:
            process.kill()
            os.close(ours)
        return process.wait(), shown.decode()


def _read(terminal: int) -> bytes:
    there, _, _ = select.select([terminal], [], [], PATIENCE)
    assert there, "the command says nothing"
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way of saying that nobody writes any more.
        return b""


def test_listing(ask: Invoke, api: ScriptedApi) -> None:
    secret = {"repository": "a", "name": "KEY", "set_at": 1_750_000_000.0, "set_by": "ann"}
    api.on("GET", "/secrets?repository=a", {"secrets": [secret]})

    header, row = ask("secret", "list", "a").output.splitlines()
    assert header.split() == ["NAME", "SET", "BY"]
    assert (row.split()[0], row.split()[-1]) == ("KEY", "ann")
    assert json.loads(ask("secret", "list", "a", "--json").stdout) == {"secrets": [secret]}

    api.on("GET", "/secrets?repository=b", {"secrets": []})
    assert ask("secret", "list", "b").output == "b has no secret: hookline secret set b NAME\n"


def test_removing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("DELETE", "/secrets/acme%2Fdemo/KEY", status=204)

    assert ask("secret", "rm", "acme/demo", "KEY").output == "removed KEY of acme/demo\n"
    assert ask("secret", "rm", "acme/demo", "OTHER").exit_code == 4
