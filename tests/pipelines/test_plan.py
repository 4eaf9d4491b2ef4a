"""A plan knows its steps by kind and group, and when to try again."""

from __future__ import annotations

import pytest

from pipelines.plan import RetryOn, RetryPolicy
from tests.pipelines.driving import plan_of

PLAN = plan_of("""
steps:
  a: {run: x}
  t: {run: x, needs: a, matrix: {v: ["1", "2"]}}
  b: {run: x, needs: a}
finally:
  f: {run: x}
  g: {run: x, needs: f}
""")


def test_the_steps_by_kind() -> None:
    assert PLAN.normal == ("a", "t (v=1)", "t (v=2)", "b")
    assert PLAN.final == ("f", "g")


def test_the_steps_by_their_name_in_the_file() -> None:
    assert PLAN.groups == {
        "a": ("a",),
        "t": ("t (v=1)", "t (v=2)"),
        "b": ("b",),
        "f": ("f",),
        "g": ("g",),
    }


def test_the_graph_has_no_edges_between_the_kinds() -> None:
    assert PLAN.graph.dependents["a"] == ("t (v=1)", "t (v=2)", "b")
    assert PLAN.graph.before("g") == {"f"}


@pytest.mark.parametrize(
    ("step", "first"),
    [
        ("a", ()),
        ("b", ("a",)),
        ("f", ("t (v=1)", "t (v=2)", "b")),
        ("g", ("f",)),
    ],
)
def test_whose_workspaces_a_step_begins_with(step: str, first: tuple[str, ...]) -> None:
    assert PLAN.begins_with(step) == first


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (5.0, [5, 10, 20, 40, 80, 160, 300, 300]),
        (300.0, [300, 300]),
        (3600.0, [3600, 3600]),
    ],
)
def test_pauses_double_up_to_five_minutes_or_what_was_asked_for(
    backoff: float, delays: list[float]
) -> None:
    policy = RetryPolicy(backoff=backoff)
    assert [policy.delay(retries) for retries in range(len(delays))] == delays


@pytest.mark.parametrize(
    ("policy", "end", "exit_code", "covered"),
    [
        (RetryPolicy(), RetryOn.FAILURE, 1, False),
        (RetryPolicy(on=frozenset({RetryOn.FAILURE})), RetryOn.FAILURE, 1, True),
        (RetryPolicy(on=frozenset({RetryOn.FAILURE})), RetryOn.ERROR, None, False),
        (RetryPolicy(exit_codes=frozenset({75})), RetryOn.FAILURE, 75, True),
        (RetryPolicy(exit_codes=frozenset({75})), RetryOn.FAILURE, None, False),
        (RetryPolicy(exit_codes=frozenset({75})), RetryOn.ERROR, 75, False),
    ],
)
def test_what_a_policy_covers(
    policy: RetryPolicy, end: RetryOn, exit_code: int | None, *, covered: bool
) -> None:
    assert policy.covers(end, exit_code) is covered
