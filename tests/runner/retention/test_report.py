from __future__ import annotations

import pytest

from runner.retention.report import Removed, Report


def test_in_words_and_as_json() -> None:
    report = Report(size=3 << 20, damaged=["ab"])
    report.removed[Removed.RUNS] = 2
    report.removed[Removed.PACKS] = 7
    assert report.sentence("would remove") == (
        "would remove 2 runs, 7 packs, 3 MiB; 1 snapshots that runs need are damaged, such as ab"
    )
    assert report.record() == {
        "runs": 2,
        "deliveries": 0,
        "snapshots": 0,
        "packs": 7,
        "leftovers": 0,
        "logs": 0,
        "bytes": 3 << 20,
        "missing": [],
        "damaged": ["ab"],
    }


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5 GiB"), (3 << 41, "6.0 TiB")],
)
def test_sizes(size: int, shown: str) -> None:
    report = Report(size=size)
    report.removed[Removed.LOGS] = 1
    assert report.sentence().endswith(f", {shown}")
