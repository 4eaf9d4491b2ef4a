"""The variables of a step: each is documented, and each fits into an environment."""

from __future__ import annotations

import os

import pytest

from pipelines.events import Event, Manual, PullRequest, Push, Tag
from pipelines.plan import Plan
from pipelines.variables import REFERENCE, RunFacts, variable_name, variables
from tests.pipelines.driving import plan_of

FACTS = RunFacts(run="r1", number=12, repository="acme/demo", url="https://ci.example/runs/r1")
TEXT = """
steps: {t: {run: x, matrix: {python-version: ["3.10"]}}}
finally: {f: {run: x}}
"""
PUSH = Push(branch="main", commit="c0ffee", message="Mend", author="Ada")
PULL = PullRequest(
    number=7,
    action="opened",
    branch="main",
    source_branch="fix",
    commit="c0ffee",
    ref="refs/pull/7/head",
)


def plan(event: Event) -> Plan:
    return plan_of(TEXT, event)


def given(event: Event, step: str = "t (python-version=3.10)") -> dict[str, str]:
    planned = plan(event)
    return variables(FACTS, planned, planned.steps[step], 2, "failure")


def test_what_a_push_gives() -> None:
    assert given(PUSH) == {
        "CI": "true",
        "CI_RUN": "r1",
        "CI_RUN_NUMBER": "12",
        "CI_STEP": "t (python-version=3.10)",
        "CI_ATTEMPT": "2",
        "CI_EVENT": "push",
        "CI_COMMIT": "c0ffee",
        "CI_REF": "refs/heads/main",
        "CI_BRANCH": "main",
        "CI_TAG": "",
        "CI_PULL_REQUEST": "",
        "CI_SOURCE_BRANCH": "",
        "CI_COMMIT_MESSAGE": "Mend",
        "CI_COMMIT_AUTHOR": "Ada",
        "CI_REPOSITORY": "acme/demo",
        "CI_RUN_URL": "https://ci.example/runs/r1",
        "CI_MATRIX_PYTHON_VERSION": "3.10",
    }


@pytest.mark.parametrize(
    ("event", "different"),
    [
        (
            Tag(tag="v1", commit="c0ffee"),
            {"CI_EVENT": "tag", "CI_REF": "refs/tags/v1", "CI_BRANCH": "", "CI_TAG": "v1"},
        ),
        (
            PULL,
            {
                "CI_EVENT": "pull_request",
                "CI_REF": "refs/pull/7/head",
                "CI_BRANCH": "main",
                "CI_PULL_REQUEST": "7",
                "CI_SOURCE_BRANCH": "fix",
            },
        ),
        (Manual(branch="dev", commit="c"), {"CI_EVENT": "manual", "CI_BRANCH": "dev"}),
    ],
    ids=["tag", "pull request", "manual"],
)
def test_what_other_events_give(event: Event, different: dict[str, str]) -> None:
    found = given(event)
    assert {name: found[name] for name in different} == different


def test_finally_steps_know_the_status() -> None:
    assert given(PUSH, "f")["CI_RUN_STATUS"] == "failure"
    assert "CI_RUN_STATUS" not in given(PUSH)


def test_the_reference_lists_them_all_and_no_others() -> None:
    found = {
        "CI_MATRIX_<NAME>" if name.startswith("CI_MATRIX_") else name
        for step in ("t (python-version=3.10)", "f")
        for name in given(PUSH, step)
    }
    assert found | {"CI_OUTPUT", "CI_WORKSPACE"} == set(REFERENCE)
    assert found & {"CI_OUTPUT", "CI_WORKSPACE"} == set()
    assert all(text.endswith(".") for text in REFERENCE.values())


def test_a_message_is_cut_at_four_kibibytes_and_not_within_a_character() -> None:
    message = given(Push(branch="b", commit="c", message="x" + "ä" * 5000))["CI_COMMIT_MESSAGE"]
    assert len(message.encode()) == 4095
    assert message == "x" + "ä" * 2047


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "\0" * 5000, "\ud83d" * 5000])
def test_whatever_an_event_holds_fits_into_an_environment(text: str) -> None:
    event = Push(branch=text, commit="c", message=text, author=text)
    for value in given(event).values():
        assert b"\0" not in os.fsencode(value)


@pytest.mark.parametrize(
    ("axis", "name"), [("python", "PYTHON"), ("python-version", "PYTHON_VERSION"), ("a1_b", "A1_B")]
)
def test_the_name_of_an_axis(axis: str, name: str) -> None:
    assert variable_name(axis) == name
