from __future__ import annotations

import pytest

from pipelines.events import PullRequest, Tag
from pipelines.states import RunStatus, State
from runner.web import words
from tests.support.seeds import COMMIT, Instance, a_step


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (20 * 1024, "20 KiB"),
        (5 * 1024**2, "5.0 MiB"),
        (3 * 1024**4, "3.0 TiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-5, "0:00"), (7.9, "0:07"), (61, "1:01"), (3723, "1:02:03")]
)
def test_offsets(seconds: float, text: str) -> None:
    assert words.offset(seconds) == text


@pytest.mark.parametrize(
    ("at", "person", "machine"),
    [
        (1_750_000_000.5, "15 Jun 2025, 15:06 UTC", "2025-06-15T15:06:40Z"),
        (1e300, "1 Jan 1970, 00:00 UTC", "1970-01-01T00:00:00Z"),
        (float("nan"), "1 Jan 1970, 00:00 UTC", "1970-01-01T00:00:00Z"),
    ],
)
def test_moments(at: float, person: str, machine: str) -> None:
    assert (words.moment(at), words.iso(at)) == (person, machine)


def test_durations() -> None:
    assert words.duration(None, 5) == words.duration(5, None) == ""
    assert words.duration(5, 8.4) == "3.4 s"
    assert words.duration(8, 5) == "0 s"


@pytest.mark.parametrize(
    ("message", "line"), [("", ""), ("\n\n  Fix\nmore", "Fix"), ("one", "one"), (" \n ", "")]
)
def test_headlines(message: str, line: str) -> None:
    assert words.headline(message) == line


def test_every_state_has_its_words() -> None:
    assert all(words.run_phrase(status) for status in RunStatus)
    assert len({words.phrase(a_step("a", state)) for state in State}) == len(State)
    forgiven = a_step("a", State.FAILURE, allow_failure=True)
    assert (words.tone(forgiven), words.phrase(forgiven)) == ("warning", "failed, allowed to")
    assert words.tone(a_step("a", State.SUCCESS, allow_failure=True)) == "success"


def test_what_was_built(instance: Instance) -> None:
    repository = instance.repository()
    pull = PullRequest(
        number=7,
        action="opened",
        branch="main",
        source_branch="x",
        commit=COMMIT,
        ref="refs/pull/7",
    )
    events = (None, Tag(tag="v1", commit=COMMIT), pull)
    places = [words.place(instance.run(repository, event=event)) for event in events]
    assert places == ["main", "tag v1", "pull request 7"]
