"""What is missing of Debian's packages is named once each, before there is a virtual environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.testbed.debian import IMAGES, TESTBED, TESTS, missing, there


def test_a_program_is_there_by_name_or_by_pattern(tmp_path: Path) -> None:
    assert there("sh")
    assert there("/bin/s?")
    assert not there("no-such-program")
    assert not there(f"{tmp_path}/*")


def test_sbin_counts_whatever_path_says() -> None:
    assert there("ldconfig")


def test_each_package_is_named_once() -> None:
    absent = {"no-such-program": "one", "no-such-program-either": "one", "sh": "dash"}
    assert missing(absent, {"/nowhere/*": "two"}) == ("one", "two")


def test_a_program_stands_in_one_list_only() -> None:
    assert len(TESTBED | IMAGES | TESTS) == len(TESTBED) + len(IMAGES) + len(TESTS)


def test_it_needs_nothing_but_the_standard_library() -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.')"]
    command[-1] += "; import runpy; runpy.run_module('tests.testbed.debian', run_name='__main__')"
    root = Path(__file__).parents[2]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert told.split() == list(missing())
