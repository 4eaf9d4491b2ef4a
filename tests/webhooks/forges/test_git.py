"""Plain git: several refs in one delivery, and statuses as notes."""

from __future__ import annotations

import pytest

from pipelines.events import Push, Tag
from tests.webhooks.samples import NEW, OLD, ZERO, encoded, git_push
from webhooks.errors import PayloadError
from webhooks.forges.base import Events, GitNote, Ignored, Parsed, Status, StatusState, Target
from webhooks.forges.git import MOST_CHANGES, Git

TARGET = Target("", "", "")


def parse(document: object) -> Parsed:
    return Git().parse({}, encoded(document))


def test_each_ref_is_an_event() -> None:
    assert parse(git_push("refs/heads/main", "refs/tags/v1")) == Events(
        (
            Push(branch="main", commit=NEW, before=OLD, message="Fix", author="Ada"),
            Tag(tag="v1", commit=NEW, message="Fix", author="Ada"),
        )
    )


def test_what_starts_nothing_is_passed_over() -> None:
    document = git_push("refs/notes/commits", "refs/heads/main", "refs/pull/7/head")
    parsed = parse(document)
    assert isinstance(parsed, Events)
    assert [event.ref for event in parsed.events] == ["refs/heads/main"]


def test_the_pusher_stands_in_for_the_author() -> None:
    change = {"ref": "refs/heads/main", "before": ZERO, "after": NEW}
    parsed = parse({"type": "push", "changes": [change], "pusher": "grace"})
    assert parsed == Events((Push(branch="main", commit=NEW, author="grace"),))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (git_push(), "push of no ref starts no run"),
        (git_push("refs/heads/main", options=["x", "ci.skip"]), "push option ci.skip"),
        (git_push("refs/notes/a", "refs/notes/b"), "refs/notes/a"),
        (git_push("refs/notes/a", "refs/notes/b"), "refs/notes/b"),
        (git_push(*["refs/heads/main"] * (MOST_CHANGES + 1)), "push of 101 refs"),
        ({"type": "ping"}, "ping"),
        ({"type": "status", "action": "x"}, "status (x) starts no run"),
        ({"type": 7}, "a message without a type starts no run"),
        (
            {"type": "push", "changes": [{"ref": "refs/heads/x", "before": OLD, "after": ZERO}]},
            "deletion of refs/heads/x starts no run",
        ),
    ],
)
def test_ignored(document: object, reason: str) -> None:
    parsed = parse(document)
    assert isinstance(parsed, Ignored)
    assert reason in parsed.reason
    assert len(parsed.reason) <= 255


def test_many_reasons_are_cut() -> None:
    parsed = parse(git_push(*[f"refs/notes/{number}" for number in range(MOST_CHANGES)]))
    assert isinstance(parsed, Ignored)
    assert len(parsed.reason) == 255


def test_options_that_are_no_list_are_none() -> None:
    assert isinstance(parse(git_push("refs/heads/main", options="ci.skip")), Events)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "push"},
        {"type": "push", "changes": {"ref": "refs/heads/main"}},
        {"type": "push", "changes": [7]},
        git_push("refs/heads/main", "refs/heads/-x"),
        {"type": "push", "changes": [{"ref": "refs/heads/main", "after": "HEAD"}]},
    ],
)
def test_refused(document: object) -> None:
    with pytest.raises(PayloadError):
        parse(document)


def note(description: str, url: str = "") -> GitNote:
    status = Status(
        commit=NEW,
        context="ci/demo",
        state=StatusState.FAILURE,
        description=description,
        url=url,
    )
    return Git().report(TARGET, status)


def test_a_status_is_a_note() -> None:
    told = note("Failure: test\nexited with 1", "http://localhost:8000/runs/1")
    assert told.commit == NEW
    assert told.text == (
        "ci/demo: failure\nFailure: test exited with 1\nhttp://localhost:8000/runs/1\n"
    )


def test_a_note_has_no_empty_lines() -> None:
    assert note("").text == "ci/demo: failure\n"
