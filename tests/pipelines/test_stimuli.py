"""What a machine can be told goes into the journal and comes back the same."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import get_args

import pytest

from pipelines.states import Cause, Outcome
from pipelines.stimuli import (
    Began,
    CancelAsked,
    RerunAsked,
    RerunMode,
    StepEnded,
    StepStarted,
    StepWaiting,
    Stimulus,
    TimePassed,
    from_record,
    to_record,
)

EVERY: list[Stimulus] = [
    Began(at=1.5, source="sha256:1"),
    StepWaiting(at=2, step="a", attempt=1),
    StepWaiting(at=2, step="a", attempt=1, message="no room"),
    StepStarted(at=3, step="test (python=3.10)", attempt=2),
    StepEnded(at=4, step="a", attempt=1, outcome=Outcome.SUCCESS),
    StepEnded(
        at=4.25,
        step="a",
        attempt=1,
        outcome=Outcome.FAILURE,
        cause=Cause.OUT_OF_MEMORY,
        exit_code=137,
        message="kaputt ä\n",
        ran=False,
        started_at=3.5,
        snapshot="sha256:2",
        outputs={"v": "3.10"},
        artifacts=({"path": "report.xml", "size": 7, "digest": "sha256:3"},),
        warnings=("careful",),
    ),
    CancelAsked(at=5),
    CancelAsked(at=5, by="ada"),
    *(RerunAsked(at=6, mode=mode, by="ada", step="a") for mode in RerunMode),
    TimePassed(at=7),
]


@pytest.mark.parametrize("stimulus", EVERY, ids=[str(number) for number in range(len(EVERY))])
def test_through_json_and_back(stimulus: Stimulus) -> None:
    again = from_record(json.loads(json.dumps(to_record(stimulus))))
    assert again == stimulus
    assert type(again) is type(stimulus)
    for field in fields(stimulus):
        assert type(getattr(again, field.name)) is type(getattr(stimulus, field.name))


def test_every_kind_is_among_them_and_has_a_name_of_its_own() -> None:
    kinds = get_args(Stimulus)
    assert {type(stimulus) for stimulus in EVERY} == set(kinds)
    assert len({kind.kind for kind in kinds}) == len(kinds)


def test_what_a_later_version_adds_is_passed_over() -> None:
    record = {**to_record(TimePassed(at=7)), "mood": "fine"}
    assert from_record(record) == TimePassed(at=7)


def test_what_an_older_version_left_out_has_its_default() -> None:
    record = {"kind": "rerun", "at": 1, "mode": "all"}
    assert from_record(record) == RerunAsked(at=1, mode=RerunMode.ALL, step="", by="")
