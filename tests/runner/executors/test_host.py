from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runner.executors import host


def test_only_what_matches_is_passed() -> None:
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "http_proxy": "p",
        "PIP_INDEX_URL": "i",
        "AWS_SECRET_ACCESS_KEY": "s",
        "path": "no",
    }
    passed = host.passed(environ, host.PASSED)
    assert set(passed) == {"PATH", "LC_ALL", "http_proxy", "PIP_INDEX_URL"}


def test_hooklines_own_settings_are_never_passed() -> None:
    assert host.passed({"HOOKLINE_SECRET": "s", "A": "1"}, ("*",)) == {"A": "1"}
    assert host.passed({"HOOKLINE_HTTP_PROXY": "s"}, host.PASSED) == {}


def test_the_agent_needs_next_to_nothing() -> None:
    environ = {"PATH": "/bin", "LD_LIBRARY_PATH": "/x", "PYTHONPATH": "/y", "SECRET": "s"}
    assert host.for_agent(environ) == {"PATH": "/bin", "LD_LIBRARY_PATH": "/x"}


def test_zstd_is_found_where_it_says() -> None:
    program = "import sys; sys.path[:0] = sys.argv[1:]; import runner.workspace.zstd"
    root = str(Path(host.__file__).parents[2])
    command = [sys.executable, "-I", "-S", "-c", program, root, *host.packages()]
    assert subprocess.run(command, check=False).returncode == 0
