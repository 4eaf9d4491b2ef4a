"""Processes outlive who started them, are known again, and never mistaken for others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.testbed.processes import Process, end, launch, recorded, wait_until
from tests.testbed.tools import TestbedError

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose processes end with the test."""
    yield tmp_path
    end(recorded(tmp_path).values())


def test_a_process_is_known_again_by_its_record(folder: Path) -> None:
    process = launch(folder, "sleeper", ["sleep", "60"], {})
    assert recorded(folder) == {"sleeper": process}
    assert process.alive()
    assert os.getsid(process.pid) == process.pid, "it is in a session of its own"


def test_another_process_with_its_number_is_not_it(folder: Path) -> None:
    process = launch(folder, "sleeper", ["sleep", "60"], {})
    assert not replace(process, began="1").alive()
    assert not replace(process, boot="before").alive()
    replace(process, began="1").send(signal.SIGKILL)
    assert process.alive()


def test_it_sees_only_the_environment_it_was_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    process = launch(folder, "env", ["env"], {"MINE": "1"})
    wait_until(lambda: not process.alive(), 10, "end")
    said = (folder / "logs" / "env.log").read_text()
    assert "MINE=1\n" in said
    assert "PROXY" not in said


def test_who_does_not_end_when_asked_is_killed(folder: Path) -> None:
    script = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
    stubborn = launch(folder, "stubborn", ["sh", "-c", script], {})
    log = folder / "logs" / "stubborn.log"
    wait_until(lambda: "ready" in log.read_text(), 10, "trap", stubborn, folder)
    end([stubborn], grace=0.2)
    assert not stubborn.alive()


def test_who_is_asked_may_say_goodbye(folder: Path) -> None:
    script = "trap 'echo bye; exit' TERM; echo ready; while true; do sleep 0.05; done"
    polite = launch(folder, "polite", ["sh", "-c", script], {})
    log = folder / "logs" / "polite.log"
    wait_until(lambda: "ready" in log.read_text(), 10, "trap", polite, folder)
    end([polite], grace=10)
    assert log.read_text() == "ready\nbye\n"


def test_waiting_for_who_has_ended_tells_the_log(folder: Path) -> None:
    process = launch(folder, "broken", ["sh", "-c", "echo no such flag >&2; exit 2"], {})
    with pytest.raises(TestbedError, match=r"(?s)no answer: it ended.*no such flag"):
        wait_until(lambda: False, 10, "answer", process, folder)


def test_waiting_ends() -> None:
    with pytest.raises(TestbedError, match="no answer: waited for 0 s"):
        wait_until(lambda: False, 0, "answer")


def test_a_number_that_nobody_has_is_not_alive() -> None:
    gone = Process("gone", 2**22 + 1, "1", "never")
    assert not gone.alive()
    gone.send(signal.SIGKILL)
