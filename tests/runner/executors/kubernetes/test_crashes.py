"""A server that dies anywhere on the way: the next one brings every attempt to the same end, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import ABSENT, Order, Phase, Service
from runner.executors.kubernetes.orders import begun_key, order_key, result_key
from runner.kube.podspec import GO, make_pod, make_secret, pod_name
from runner.objects.base import ObjectStoreError
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.mortal import Fate
from tests.runner.executors.kubernetes.rig import Rig, eventually, run

MOST = 40


def counting(rig: Rig, **changes: object) -> Order:
    """Return the order of a step that puts down that it was run."""
    order = rig.order("echo x >> $STARTS; echo new > file", **changes)
    starts = rig.folder / f"starts-{order.attempt.name}"
    return replace(order, environment={"STARTS": str(starts)})


def starts(order: Order) -> int:
    path = Path(order.environment["STARTS"])
    return len(path.read_text().split()) if path.exists() else 0


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["plain", "ahead", "service"])
def test_whenever_it_dies(rig: Rig, kind: str, done: bool) -> None:
    """Of so many servers each dies one effect later than the one before it, until one lives."""
    for at in range(MOST):
        fate = Fate(at, done)
        live_and_die(rig, kind, fate)
        if not fate.dead.is_set():
            assert at >= 4, fate.effects
            return
    raise AssertionError(MOST)


def live_and_die(rig: Rig, kind: str, fate: Fate) -> None:
    """Run a step with a server of this fate, and with another that comes after it."""
    service = Service(name="db", image="x", command=("sleep", "60"), ready="true")
    order = counting(rig, services=(service,) if kind == "service" else ())
    mortal = rig.executor(client=fate.bind(rig.kube.client()), objects=fate.bind(rig.objects))
    if kind == "ahead":
        mortal.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None or fate.dead.is_set())
    mortal.start(order)
    eventually(lambda: fate.dead.is_set() or mortal.look(order.attempt).phase is Phase.ENDED)
    eventually(lambda: fate.dead.is_set() or rig.pod(order) is None)
    mortal.close()
    result = run(rig.executor(), order)
    assert result.outcome is Outcome.SUCCESS, fate
    assert result.snapshot is not None
    assert starts(order) == 1, fate
    rig.until_gone(order)


@pytest.mark.parametrize("ahead", [False, True])
def test_what_has_ended_is_not_run_again_whatever_waits(rig: Rig, ahead: bool) -> None:
    order = counting(rig)
    first = rig.executor()
    result = run(first, order)
    rig.until_gone(order)
    first.close()
    second = rig.executor()
    if ahead:
        second.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None)
    assert run(second, order) == result
    assert starts(order) == 1
    rig.until_gone(order)


def test_an_order_that_may_have_been_read_is_not_written_again(rig: Rig, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    order = rig.order(f"while ! test -e {gate}; do sleep 0.01; done")
    first = rig.executor()
    ear = Ear(first)
    first.start(order)
    ear.until(order.attempt, Phase.RUNNING)
    first.close()
    before = rig.object(order, "order")
    second = rig.executor()
    ear = Ear(second)
    second.start(order)
    gate.touch()
    assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
    assert rig.object(order, "order") == before


def test_an_order_that_nobody_has_read_is_written_again(rig: Rig) -> None:
    order = counting(rig)
    rig.objects.memory.put(order_key(order.attempt), b'{"version": 0}')
    assert run(rig.executor(), order).outcome is Outcome.SUCCESS
    assert starts(order) == 1


def test_a_pod_that_waits_for_the_order_of_a_dead_server_gets_one(rig: Rig) -> None:
    order = counting(rig)
    first = rig.executor()
    first.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    first.close()
    rig.objects.memory.put(order_key(order.attempt), b'{"version": 0}')
    assert run(rig.executor(), order).outcome is Outcome.SUCCESS
    assert len(rig.kube.acts("create pods")) == 1
    assert starts(order) == 1


def test_a_pod_that_was_let_go_unnoticed_is_taken_up(rig: Rig) -> None:
    """The annotation was patched in, and the watch has not told of it."""
    order = counting(rig)
    executor = rig.executor()
    executor.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    executor.close()
    rig.objects.memory.put(order_key(order.attempt), b"{}")
    second = rig.executor()
    second.look(order.attempt)
    other = rig.executor()
    rig.objects.memory.delete([order_key(order.attempt)])
    assert run(other, order).outcome is Outcome.SUCCESS
    second.start(order)
    assert Ear(second).end_of(order.attempt).outcome is Outcome.SUCCESS
    assert starts(order) == 1


def test_what_ran_and_vanished_while_nobody_looked_is_not_run_again(rig: Rig) -> None:
    order = counting(rig)
    order = replace(order, command=("sh", "-c", "echo x >> $STARTS; sleep 60"))
    first = rig.executor()
    ear = Ear(first)
    first.start(order)
    ear.until(order.attempt, Phase.RUNNING)
    first.close()
    eventually(lambda: rig.objects.memory.size(begun_key(order.attempt)) is not None)
    eventually(lambda: starts(order) == 1)
    rig.running(order).kill()
    rig.kube.remove(pod_name(order.attempt))
    second = rig.executor()
    result = run(second, order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.LOST)
    assert result.message
    assert starts(order) == 1
    assert run(rig.executor(), order) == result


def test_the_secret_of_a_dead_server_is_made_anew(rig: Rig) -> None:
    order = counting(rig)
    old = make_secret(order.outline, rig.settings, order_url="http://127.0.0.1:9/", ca="", born=0.0)
    rig.kube.client().create_secret(old)
    assert run(rig.executor(), order).outcome is Outcome.SUCCESS


def test_a_look_alone_takes_up_what_was_let_go(rig: Rig) -> None:
    order = counting(rig)
    order = replace(order, command=("sh", "-c", "sleep 0.5; echo new > file"))
    first = rig.executor()
    ear = Ear(first)
    first.start(order)
    ear.until(order.attempt, Phase.RUNNING)
    first.close()
    second = rig.executor()
    ear = Ear(second)
    assert second.look(order.attempt).phase is Phase.RUNNING
    result = ear.end_of(order.attempt)
    assert result.outcome is Outcome.SUCCESS
    assert result.snapshot is not None
    assert rig.snapshots.load(result.snapshot).digest == result.snapshot


def test_a_pod_that_waits_is_absent_to_a_look(rig: Rig) -> None:
    order = rig.order()
    first = rig.executor()
    first.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    assert first.look(order.attempt) == ABSENT
    first.close()
    assert rig.executor().look(order.attempt) == ABSENT
    assert rig.pod(order) is not None


def test_a_pod_with_a_go_by_others_is_found_by_who_made_it(rig: Rig) -> None:
    order = counting(rig)
    executor = rig.executor()
    pod = make_pod(order.outline, rig.settings, go=True, waiting=600.0, born=0.0)
    assert pod["metadata"]["annotations"][GO] == "1"
    secret = make_secret(
        order.outline,
        rig.settings,
        order_url=rig.store.address(order_key(order.attempt)),
        ca="",
        born=0.0,
    )
    executor._orders.create(order)
    rig.kube.client().create_secret(secret)
    rig.kube.client().create_pod(pod)
    assert run(executor, order).outcome is Outcome.SUCCESS
    assert starts(order) == 1
    rig.until_gone(order)
    assert json.loads(rig.object(order, "result") or b"{}")["outcome"] == "success"


def test_a_result_that_is_damaged_is_no_success(rig: Rig) -> None:
    order = counting(rig)
    first = rig.executor()
    assert run(first, order).outcome is Outcome.SUCCESS
    rig.until_gone(order)
    first.close()
    rig.objects.memory.put(result_key(order.attempt), b'{"outcome": "success"}')
    result = rig.executor().look(order.attempt).result
    assert result is not None
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.EXECUTOR)
    assert "makes no sense" in result.message


def test_what_is_looked_at_while_others_are_offered_is_looked_for(rig: Rig) -> None:
    order, ahead = counting(rig), rig.order()
    first = rig.executor()
    result = run(first, order)
    rig.until_gone(order)
    first.close()
    second = rig.executor()
    rig.objects.fault("get", "/result", ObjectStoreError("away"))
    asked = threading.Thread(target=lambda: second.look(order.attempt))
    asked.start()
    second.prepare([ahead.outline])
    asked.join()
    assert second.look(order.attempt).result == result
