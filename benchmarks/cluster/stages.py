"""Servers to measure on the testbed, and what their steps noted of the time."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.stage import Stage
from tests.support.cluster import Testbed

STAMPED = 'cut -d" " -f1 /proc/uptime'
"""What a step runs to note the time, in seconds; it is the same clock in all Pods of a node."""


@contextmanager
def open_stage(testbed: Testbed, ahead: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as name:
        stage = Stage(Path(name), testbed.settings(HOOKLINE_KUBERNETES__AHEAD=str(ahead)))
        try:
            yield stage.open()
        finally:
            stage.server.stop()


def stamps(stage: Stage, run: dict[str, Any], step: str) -> list[float]:
    found = re.findall(r"^(\d+\.\d+)\s*$", stage.log(run["id"], step), re.MULTILINE)
    return [float(stamp) for stamp in found]
