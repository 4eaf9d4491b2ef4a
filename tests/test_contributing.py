"""What CONTRIBUTING.md says of targets and benchmarks is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.cluster.__main__ import PARTS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = set(
    re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


def test_every_target_that_is_named_is_there() -> None:
    named = set(re.findall(r"\bmake (?:-s )?([a-z-]+)", PAGE))
    assert named - TARGETS == set()


def test_every_target_for_the_cluster_is_explained() -> None:
    told = set(re.findall(r"^\| `make ([a-z-]+)`", PAGE, re.MULTILINE))
    assert told == {name for name in TARGETS if "cluster" in name}


def test_every_part_of_the_clusters_benchmarks_is_explained() -> None:
    assert re.findall(r"^  \| `(\w+)` \|", PAGE, re.MULTILINE) == list(PARTS)
    assert f"[{'|'.join(PARTS)} …]" in PAGE
