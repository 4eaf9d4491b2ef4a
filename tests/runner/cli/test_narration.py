"""The story of a run: everything once, and in an order that makes sense, however looks fall."""

from __future__ import annotations

from collections.abc import Iterable

from runner.cli.narration import Began, Ended, Happening, Line, Narrator, Retried, Warned
from tests.runner.cli.looks import Hand, plan_of

CHAIN = """
steps:
  lint: {run: x}
  test: {needs: lint, run: x}
finally:
  tidy: {run: x}
"""
RETRY = "steps: {test: {run: x, retry: {limit: 2, on: failure, backoff: 1s}}}"


def words(happenings: Iterable[Happening]) -> list[str]:
    """Return a story in short words."""
    found = []
    for told in happenings:
        match told:
            case Began():
                found.append(f"{told.step}#{told.attempt} began")
            case Line():
                found.append(f"{told.step}#{told.attempt}: {told.text}")
            case Retried():
                found.append(f"{told.step}#{told.attempt.number} failed")
            case Ended():
                found.append(f"{told.step} {told.progress.state}")
            case Warned():
                found.append(f"warned: {told.text}")
    return found


def test_an_end_is_told_when_its_last_lines_have_come() -> None:
    hand, narrator = Hand(plan_of(CHAIN)), Narrator()
    assert words(narrator.take(hand.look())) == []
    hand.start("lint")
    hand.say("lint", "one")
    assert words(narrator.take(hand.look())) == ["lint#1 began", "lint#1: one"]
    hand.end("lint")
    assert words(narrator.take(hand.look())) == []
    hand.say("lint", "two")
    assert words(narrator.take(hand.look())) == ["lint#1: two", "lint success"]
    assert words(narrator.take(hand.look())) == []


def test_an_end_is_told_before_anything_that_waited_for_it() -> None:
    hand, narrator = Hand(plan_of(CHAIN)), Narrator()
    hand.start("lint")
    hand.say("lint", "one")
    hand.end("lint")
    hand.start("test")
    hand.say("test", "two")
    assert words(narrator.take(hand.look())) == [
        "lint#1 began",
        "lint#1: one",
        "lint success",
        "test#1 began",
        "test#1: two",
    ]


def test_what_happened_between_two_looks_is_not_lost() -> None:
    hand, narrator = Hand(plan_of(CHAIN)), Narrator()
    hand.start("lint")
    hand.end("lint", 1)
    hand.start("tidy")
    hand.say("tidy", "bye")
    hand.end("tidy")
    assert words(narrator.take(hand.look())) == ["tidy#1 began", "tidy#1: bye"]
    assert words(narrator.finish()) == [
        "lint#1 began",
        "lint failure",
        "test blocked",
        "tidy success",
    ]
    assert words(narrator.finish()) == []


def test_tries() -> None:
    hand, narrator = Hand(plan_of(RETRY)), Narrator()
    hand.start("test")
    hand.end("test", 1)
    assert words(narrator.take(hand.look())) == ["test#1 began", "test#1 failed"]
    hand.wait(1)
    hand.start("test", 2)
    hand.end("test", 2, attempt=2)
    hand.wait(2)
    hand.start("test", 3)
    hand.say("test", "third", attempt=3)
    assert words(narrator.take(hand.look())) == [
        "test#2 failed",
        "test#3 began",
        "test#3: third",
    ]
    hand.end("test", attempt=3)
    narrator.take(hand.look())
    assert words(narrator.finish()) == ["test success"]


def test_a_story_that_breaks_off() -> None:
    hand, narrator = Hand(plan_of(CHAIN)), Narrator()
    hand.start("lint")
    assert words(narrator.take(hand.look())) == ["lint#1 began"]
    assert words(narrator.finish()) == []


def test_a_step_that_waits_is_not_said_to_run() -> None:
    hand, narrator = Hand(plan_of(RETRY)), Narrator()
    assert hand.machine.steps["test"].attempts[0].started_at is None
    assert words(narrator.take(hand.look())) == []


def test_warnings_are_told_once() -> None:
    hand, narrator = Hand(plan_of(CHAIN), warnings=("a",)), Narrator()
    assert words(narrator.take(hand.look())) == ["warned: a"]
    hand.warnings = ("a", "b")
    assert words(narrator.take(hand.look())) == ["warned: b"]
