"""Every rule that must hold of a machine at all times is noticed when it is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.invariants import violations
from pipelines.machine import Start
from pipelines.progress import Attempt
from pipelines.states import Outcome, State
from tests.pipelines.driving import Driver, plan_of

TEXT = """
steps:
  a: {run: x, retry: {on: failure}}
  b: {run: x, needs: a}
  c: {run: x}
finally: {f: {run: x}}
"""


def fresh() -> Driver:
    return Driver(plan_of(TEXT))


def begun() -> Driver:
    return fresh().begin()


def running() -> Driver:
    run = begun()
    run.start("a")
    return run


def retrying() -> Driver:
    run = begun()
    run.fail("a")
    return run


def blocked() -> Driver:
    run = begun()
    run.err("a", ran=True)
    return run


def ended() -> Driver:
    run = begun()
    run.succeed("a", "b", "c", "f")
    return run


@pytest.mark.parametrize("make", [fresh, begun, running, retrying, blocked, ended])
def test_an_honest_machine_breaks_none(make: Callable[[], Driver]) -> None:
    assert violations(make().machine) == []


def _set(step: str, **values: object) -> Callable[[Driver], None]:
    def act(run: Driver) -> None:
        for name, value in values.items():
            setattr(run[step], name, value)

    return act


def _set_run(**values: object) -> Callable[[Driver], None]:
    def act(run: Driver) -> None:
        for name, value in values.items():
            setattr(run.machine, name, value)

    return act


def _want(step: str, attempt: int) -> Callable[[Driver], None]:
    return lambda run: run.machine._wants.__setitem__(step, Start(step, attempt))


def _unwant(step: str) -> Callable[[Driver], None]:
    return lambda run: run.machine._wants.__delitem__(step)


def _number(step: str, number: int) -> Callable[[Driver], None]:
    return lambda run: setattr(run[step].attempts[0], "number", number)


def _end(step: str) -> Callable[[Driver], None]:
    return lambda run: setattr(run[step].attempts[0], "outcome", Outcome.SUCCESS)


def _forget_start(step: str) -> Callable[[Driver], None]:
    return lambda run: setattr(run[step].attempts[0], "started_at", None)


def _one_more(step: str) -> Callable[[Driver], None]:
    return lambda run: run[step].attempts.append(Attempt(number=2, asked_at=0))


@pytest.mark.parametrize(
    ("make", "spoil", "told"),
    [
        (fresh, _set("a", state=State.QUEUED), "a step moved before the run began"),
        (
            fresh,
            _set_run(ended_at=1.0),
            "ended_at is 1.0 while these are open: ['a', 'b', 'c', 'f']",
        ),
        (begun, _set_run(_open=0), "the run is success while these are open: ['a', 'b', 'c', 'f']"),
        (ended, _set_run(_open=1), "the run is running while these are open: []"),
        (ended, _set_run(ended_at=None), "ended_at is None while these are open: []"),
        (begun, _set("b", unmet=0), "b: counts 0 unmet needs, but they are ['a']"),
        (begun, _set("b", state=State.SKIPPED), "b: is skipped before its needs ended: ['a']"),
        (
            begun,
            _set("f", state=State.SKIPPED),
            "f: is skipped before the graph ended: ['a', 'b', 'c']",
        ),
        (begun, _set("c", state=State.PENDING), "c: is pending though nothing holds it"),
        (begun, _number("a", 7), "a: has attempts [7]"),
        (begun, _end("a"), "a: is queued with live attempts []"),
        (ended, _one_more("a"), "a: is success with live attempts [2]"),
        (running, _forget_start("a"), "a: runs without a start"),
        (retrying, _set("a", retry_at=None), "a: is retrying and tries again at None"),
        (begun, _set("a", retry_at=5.0), "a: is queued and tries again at 5.0"),
        (begun, _unwant("a"), "a: is queued and wanted: None"),
        (ended, _want("a", 1), "a: is success and wanted: Start(step='a', attempt=1)"),
        (begun, _want("a", 2), "a: attempt 2 is wanted, of 1"),
        (blocked, _set("b", culprit=None), "b: blocked by None, which did not fail"),
        (blocked, _set("b", culprit="c"), "b: blocked by c, which did not fail"),
        (blocked, _set("b", culprit="b"), "b: blocked by b, which did not fail"),
        (blocked, _set("b", reason=""), "b: blocked without a reason"),
        (ended, _set("a", ended_at=None), "a: ended_at is None while it is success"),
        (begun, _set("a", ended_at=1.0), "a: ended_at is 1.0 while it is queued"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named(
    make: Callable[[], Driver], spoil: Callable[[Driver], None], told: str
) -> None:
    run = make()
    spoil(run)
    assert told in violations(run.machine)
    with pytest.raises(AssertionError) as raised:
        run.machine.validate()
    assert told in str(raised.value).split("\n")
