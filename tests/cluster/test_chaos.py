"""The controller dies at random moments while many runs go on: nobody can tell afterwards."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.cluster.stage import Stage, tally
from tests.e2e.servers import pretty
from tests.support.cluster import Testbed

RUNS, STEPS = 20, 10
AWAY = 180.0
"""Seconds that the controller once stays away: the issue's three minutes."""


def _pipeline(url: str) -> str:
    """Return a chain whose steps each say that they ran, and hand on what those before them left."""
    lines = ["steps:"]
    for number in range(STEPS):
        needs = f"needs: s{number - 1}, " if number else ""
        tell = f"wget -q -O /dev/null {url}/$CI_RUN/$CI_STEP/$CI_ATTEMPT"
        lines.append(
            f"  s{number}: {{{needs}run: '{tell}; echo {number} >> trail; wc -l < trail'}}"
        )
    return "\n".join(lines) + "\n"


def test_every_run_ends_as_if_nothing_had_happened(testbed: Testbed, tmp_path: Path) -> None:
    chance = random.Random(20261123)
    stage = Stage(tmp_path, testbed.settings(HOOKLINE_KUBERNETES__AHEAD="3"))
    try:
        stage.open()
        with tally(testbed.outside) as told:
            runs = [stage.push(_pipeline(told.url)) for _ in range(RUNS)]
            stayed_away = False
            while not all(stage.server.run(run)["ended_at"] for run in runs):
                time.sleep(chance.uniform(0.5, 12.0))
                stage.server.kill()
                if not stayed_away:
                    stayed_away = True
                    time.sleep(AWAY)
                stage.server.start()
            ended = [stage.ended(run) for run in runs]
    finally:
        stage.server.stop()
    assert {run["status"] for run in ended} == {"success"}, pretty(
        [run for run in ended if run["status"] != "success"]
    )
    expected = {f"{run}/s{number}/1" for run in runs for number in range(STEPS)}
    assert set(told.told) == expected
    assert {path: count for path, count in told.told.items() if count > 1} == {}
    testbed.until_empty()
