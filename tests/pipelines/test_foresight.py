"""What is made ready before its turn, and what must not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.foresight import Foreseen, foresee
from pipelines.machine import Start
from pipelines.stimuli import RerunMode
from tests.pipelines.conftest import MakeMachine
from tests.pipelines.driving import Driver, plan_of

CHAIN = """
steps:
  a: {run: x}
  b: {run: x, needs: a, image: "b:1"}
  c: {run: x, needs: b}
  d: {run: x, needs: c}
"""


def names(run: Driver, limit: int = 10) -> list[str]:
    return [foreseen.step for foreseen in foresee(run.machine, limit)]


def test_the_nearest_come_first_and_no_more_than_asked_for(machine: MakeMachine) -> None:
    run = machine(CHAIN).begin()
    assert foresee(run.machine, 2) == (Foreseen("b", 1, "b:1"), Foreseen("c", 1, None))
    assert names(run) == ["b", "c", "d"]
    assert names(run, 0) == []


def test_what_is_wanted_already_is_not_foreseen(machine: MakeMachine) -> None:
    run = machine(CHAIN).begin()
    run.start("a")
    run.succeed("a")
    assert names(run) == ["c", "d"]


def test_nothing_is_foreseen_before_the_run_begins_nor_after_it_ended(machine: MakeMachine) -> None:
    run = machine("steps: {a: {run: x}}")
    assert names(run) == []
    run.begin()
    run.succeed("a")
    assert names(run) == []


def test_a_step_waits_for_all_its_needs_to_be_coming(machine: MakeMachine) -> None:
    run = machine("""
steps:
  a: {run: x}
  b: {run: x, needs: a}
  c: {run: x, needs: [a, b]}
  e: {run: x, when: 'false'}
  f: {run: x, needs: [a, e]}
""").begin()
    assert names(run) == ["b", "f", "c"]


def test_nothing_is_foreseen_behind_what_is_tried_again_later(machine: MakeMachine) -> None:
    run = machine(
        "steps: {a: {run: x, retry: {limit: 1, on: [failure]}}, b: {run: x, needs: a}}"
    ).begin()
    run.fail("a")
    assert names(run) == []
    run.pass_time()
    assert names(run) == ["b"]


def test_nothing_is_foreseen_behind_a_failure(machine: MakeMachine) -> None:
    run = machine("""
steps:
  a: {run: x}
  b: {run: x}
  c: {run: x, needs: [a, b]}
  d: {run: x, needs: b}
""").begin()
    run.fail("a")
    assert names(run) == ["d"]


@pytest.mark.parametrize(
    ("when", "seen"),
    [
        ('event.branch == "main"', ["b"]),
        ('event.branch == "other"', []),
        ("always()", []),
        ("failure()", []),
        ('steps.a.outputs.v == "1"', []),
        ('steps.z.outputs.v == "1"', ["b"]),
    ],
)
def test_a_condition_counts_as_far_as_it_is_known(
    machine: MakeMachine, when: str, seen: list[str]
) -> None:
    run = machine(f"""
steps:
  z: {{run: x, outputs: v}}
  a: {{run: x, outputs: v, needs: z}}
  b: {{run: x, needs: [z, a], when: '{when}'}}
""").begin()
    run.succeed("z", outputs={"v": "1"})
    assert names(run) == seen


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        ("img:${{ steps.a.outputs.v }}", []),
        ("img:${{ steps.a.status }}", []),
        ("img:${{ steps.z.outputs.v }}", ["img:7"]),
        ("img:${{ steps.z.outputs.w }}", []),
        ("img:${{ event.branch }}", ["img:main"]),
    ],
)
def test_an_image_must_be_known(machine: MakeMachine, image: str, seen: list[str]) -> None:
    run = machine(f"""
steps:
  z: {{run: x, outputs: [v, w]}}
  a: {{run: x, outputs: v, needs: z}}
  b: {{run: x, needs: [z, a], image: "{image}"}}
""").begin()
    run.succeed("z", outputs={"v": "7"})
    assert [foreseen.image for foreseen in foresee(run.machine, 5)] == seen


@pytest.mark.parametrize("more", ["secrets: [KEY]", "services: {db: {image: 'postgres:16'}}"])
def test_what_has_services_or_secrets_waits_for_its_turn(machine: MakeMachine, more: str) -> None:
    run = machine(f"""
steps:
  a: {{run: x}}
  b:
    run: x
    needs: a
    {more}
  c: {{run: x, needs: b}}
""").begin()
    assert names(run) == []
    run.succeed("a")
    assert names(run) == ["c"]


def test_the_first_of_finally_come_when_all_else_is_coming(machine: MakeMachine) -> None:
    run = machine("""
steps: {a: {run: x}, b: {run: x, needs: a}}
finally:
  m: {run: x}
  n: {run: x, needs: m}
  o: {run: x, when: run.status == "success"}
  p: {run: x, image: "${{ run.status }}"}
""").begin()
    assert names(run, 1) == ["b"]
    assert names(run) == ["b", "m"]
    run.succeed("a", "b")
    assert names(run) == ["n"]


def test_finally_is_not_foreseen_while_a_step_waits_to_be_tried_again(
    machine: MakeMachine,
) -> None:
    run = machine("""
steps: {a: {run: x, retry: {limit: 1, on: [failure]}}}
finally: {m: {run: x}}
""").begin()
    run.fail("a")
    assert names(run) == []


def test_a_cancelled_run_foresees_nothing(machine: MakeMachine) -> None:
    run = machine(CHAIN).begin()
    run.start("a")
    run.cancel(by="")
    assert names(run) == []


def test_the_attempt_is_the_one_that_will_be_wanted_also_after_a_rerun(
    machine: MakeMachine,
) -> None:
    run = machine("steps: {a: {run: x}, b: {run: x, needs: a}}").begin()
    run.succeed("a")
    run.fail("b")
    run.rerun(RerunMode.ALL)
    assert foresee(run.machine, 5) == (Foreseen("b", 2, None),)
    run.succeed("a")
    assert run.machine.wanted() == {"b": Start("b", 2)}


@given(st.integers(1, 12), st.data())
def test_what_is_foreseen_is_wanted_if_all_goes_well(count: int, data: st.DataObject) -> None:
    """Whatever the graph: with no failure, every guess comes true with its number."""
    steps = ["steps:"]
    for place in range(count):
        earlier = st.sampled_from(range(place)) if place else st.nothing()
        needs = data.draw(st.lists(earlier, unique=True, max_size=3)) if place else []
        steps.append(f"  s{place}: {{run: x, needs: [{', '.join(f's{n}' for n in needs)}]}}")
    run = Driver(plan_of("\n".join(steps))).begin()
    guessed: set[tuple[str, int]] = set()
    while run.machine.wanted():
        foreseen = foresee(run.machine, 100)
        pending = {name for name, step in run.machine.steps.items() if not step.attempts}
        assert {guess.step for guess in foreseen} == pending
        guessed |= {(guess.step, guess.attempt) for guess in foreseen}
        run.succeed(data.draw(st.sampled_from(sorted(run.machine.wanted()))))
    assert guessed <= {(name, len(step.attempts)) for name, step in run.machine.steps.items()}
