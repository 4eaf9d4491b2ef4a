from __future__ import annotations

import re

from runner.database.identifiers import random_id, run_id


def test_ids_are_plain_and_of_one_length() -> None:
    for name in (run_id(1_750_000_000.5), random_id(), run_id(0)):
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", name)


def test_a_later_run_sorts_behind() -> None:
    moments = [1_700_000_000 + step * 0.001 for step in range(200)]
    ids = [run_id(moment) for moment in moments]
    assert ids == sorted(ids)
    assert run_id(4_000_000_000) > run_id(1_750_000_000) > run_id(0)


def test_ids_of_one_moment_differ() -> None:
    assert len({run_id(5) for _ in range(1000)}) == 1000
    assert len({random_id() for _ in range(1000)}) == 1000
