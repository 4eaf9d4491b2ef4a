"""What happened in git, whichever forge tells it, and when two tellings are the same act."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest

from pipelines.events import (
    Event,
    Manual,
    PullRequest,
    Push,
    Tag,
    Trust,
    from_record,
    key_of,
    to_record,
    trust_of,
)

PUSH = Push(branch="release/1", commit="c2", before="c1", forced=True, message="m", author="Ada")
TAG = Tag(tag="v1", commit="c2", message="m", author="Ada")
PULL = PullRequest(
    number=7,
    action="opened",
    branch="main",
    source_branch="fix",
    commit="c2",
    ref="refs/pull/7/head",
    base="c1",
    fork=False,
    draft=True,
    title="Fix",
    author="Ada",
)
MANUAL = Manual(branch="main", commit="c2", author="Ada")
EVERY: list[Event] = [PUSH, TAG, PULL, MANUAL]


@pytest.mark.parametrize("event", EVERY, ids=lambda event: event.kind)
def test_through_json_and_back(event: Event) -> None:
    again = from_record(json.loads(json.dumps(to_record(event))))
    assert again == event
    assert type(again) is type(event)


def test_every_kind_is_among_them() -> None:
    assert {type(event) for event in EVERY} == set(get_args(Event))


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert from_record({**to_record(TAG), "mood": "fine"}) == TAG


@pytest.mark.parametrize(
    ("event", "ref"),
    [
        (PUSH, "refs/heads/release/1"),
        (TAG, "refs/tags/v1"),
        (PULL, "refs/pull/7/head"),
        (MANUAL, "refs/heads/main"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_ref_is_written_in_full(event: Event, ref: str) -> None:
    assert event.ref == ref


@pytest.mark.parametrize(
    ("event", "trust"),
    [
        (PUSH, Trust.TRUSTED),
        (TAG, Trust.TRUSTED),
        (MANUAL, Trust.TRUSTED),
        (PULL, Trust.TRUSTED),
        (replace(PULL, fork=True), Trust.UNTRUSTED),
    ],
    ids=["push", "tag", "manual", "pull request", "from a fork"],
)
def test_only_pull_requests_from_forks_are_not_trusted(event: Event, trust: Trust) -> None:
    assert trust_of(event) is trust


def test_a_pull_request_is_from_a_fork_unless_it_says_otherwise() -> None:
    unsaid = PullRequest(
        number=1, action="opened", branch="main", source_branch="x", commit="c", ref="r"
    )
    assert trust_of(unsaid) is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (PUSH, replace(PUSH, message="told otherwise", author="", forced=False), True),
        (PUSH, replace(PUSH, before="c0"), False),
        (PUSH, replace(PUSH, before=None), False),
        (PUSH, replace(PUSH, commit="c3"), False),
        (PUSH, replace(PUSH, branch="main"), False),
        (TAG, replace(TAG, author=""), True),
        (TAG, replace(TAG, commit="c3"), False),
        (TAG, replace(TAG, tag="v2"), False),
        (PULL, replace(PULL, action="synchronize", title="New"), True),
        (PULL, replace(PULL, commit="c3"), False),
        (PULL, replace(PULL, branch="release/1"), False),
        (PULL, replace(PULL, number=8), False),
        (replace(PUSH, branch="x"), Tag(tag="x", commit="c2"), False),
    ],
    ids=[str(number) for number in range(13)],
)
def test_equal_keys_mean_the_same_act(one: Event, other: Event, *, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


def test_what_was_asked_for_by_hand_is_never_the_same_act() -> None:
    assert key_of(MANUAL) == ""
