from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.states import Cause, Outcome
from runner.executors.base import Artifact, Result
from runner.executors.kubernetes import records

TOLD: dict[str, Any] = {"outcome": "success", "cause": "", "ended_at": 5.0, "started": True}


def test_reads_what_an_agent_tells() -> None:
    told = records.read(
        json.dumps(
            {
                **TOLD,
                "exit_code": 0,
                "snapshot": "abc",
                "outputs": {"a": "b"},
                "artifacts": [{"path": "p", "size": 1, "digest": "d"}],
                "warnings": ["w"],
                "log": 7,
                "something": "new",
            }
        )
    )
    assert told.result == Result(
        outcome=Outcome.SUCCESS,
        exit_code=0,
        ended_at=5.0,
        snapshot="abc",
        outputs={"a": "b"},
        artifacts=(Artifact(path="p", size=1, digest="d"),),
        warnings=("w",),
    )
    assert (told.log, told.whole, told.confirmed) == (7, True, True)


def test_reads_that_there_is_more_to_be_known() -> None:
    told = records.read({**TOLD, "whole": False, "unconfirmed": True, "log": -1})
    assert (told.log, told.whole, told.confirmed) == (None, False, False)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"[]", "is no JSON object"),
        (b"{", "Expecting property name"),
        (json.dumps({**TOLD, "outcome": "wonderful"}), "makes no sense: outcome"),
        (json.dumps({"outcome": "success"}), "makes no sense: ended_at"),
        (json.dumps({**TOLD, "artifacts": [{"path": 5}]}), "makes no sense: artifacts.0"),
    ],
)
def test_refuses_what_makes_no_sense(said: bytes | str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        records.read(said)


RESULTS = st.builds(
    Result,
    outcome=st.sampled_from(Outcome),
    cause=st.sampled_from(Cause),
    exit_code=st.none() | st.integers(0, 255),
    message=st.text(),
    started=st.booleans(),
    started_at=st.none() | st.floats(0, 1e10),
    ended_at=st.floats(0, 1e10),
    snapshot=st.none() | st.text(),
    outputs=st.dictionaries(st.text(), st.text()),
    artifacts=st.lists(
        st.builds(Artifact, path=st.text(), size=st.integers(0), digest=st.text())
    ).map(tuple),
    warnings=st.lists(st.text()).map(tuple),
)


@given(RESULTS, st.none() | st.integers(0, 2**40))
def test_what_is_written_is_read_back(result: Result, log: int | None) -> None:
    told = records.read(records.write(result, log))
    assert (told.result, told.log, told.whole, told.confirmed) == (result, log, True, True)


def test_says_how_it_never_began() -> None:
    result = records.never_began("no", 3.0)
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
    result = records.never_began("no", 3.0, cause=Cause.CONFIG)
    assert (result.outcome, result.cause, result.started) == (Outcome.ERROR, Cause.CONFIG, False)
