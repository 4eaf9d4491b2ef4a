"""Whoever is not in the node's namespaces is never taken for one of its processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.namespaces import enter, inhabitants
from tests.testbed.processes import end, launch, recorded

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns").exists(), reason="needs Linux's /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose processes end with the test."""
    yield tmp_path
    end(recorded(tmp_path).values())


def test_a_holder_that_has_not_left_this_machines_namespaces_holds_nobody(folder: Path) -> None:
    assert inhabitants(launch(folder, "early", ["sleep", "60"], {})) == set()


def test_a_holder_that_is_gone_holds_nobody(folder: Path) -> None:
    holder = launch(folder, "gone", ["sleep", "60"], {})
    end([holder])
    assert inhabitants(holder) == set()


def test_a_command_enters_by_the_holders_number(folder: Path) -> None:
    holder = launch(folder, "holder", ["sleep", "60"], {})
    place = f"/proc/{holder.pid}/ns"
    assert enter(holder) == ["nsenter", f"--net={place}/net", f"--mount={place}/mnt"]
