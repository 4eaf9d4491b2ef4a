"""The demo shows what it promises, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.servers import clean_environment


def test_the_demo_shows_green_red_and_repaired(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=Path(__file__).parents[2],
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    told = done.stdout
    assert done.returncode == 0, told + done.stderr
    assert "remote: hookline: run 1 of main" in told
    assert "acme/words#2" in told
    assert "Failure: test (part=sorting): exit code 1" in told
    assert "AssertionError" in told
    assert "says  build: success" in told
    assert "hookline rerun --failed" in told
    assert list(tmp_path.iterdir()) == []
