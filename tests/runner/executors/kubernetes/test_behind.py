"""An executor whose watch is behind: what it does not know it asks before it acts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.states import Outcome
from runner.executors.base import Order
from runner.executors.kubernetes.executor import KubernetesExecutor
from runner.kube.podspec import GO, pod_name
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.rig import Rig, eventually
from tests.support.kube_faults import Silent


@pytest.fixture(name="order")
def order_fixture(rig: Rig) -> Order:
    starts = rig.folder / "starts"
    return rig.order("echo x >> $STARTS; sleep 0.3", environment={"STARTS": str(starts)})


@pytest.fixture(name="behind")
def behind_fixture(rig: Rig) -> Iterator[KubernetesExecutor]:
    """An executor that hears of nothing until the connections are cut."""
    rig.kube.fault(Silent(), on="watch pods")
    executor = rig.executor()
    eventually(lambda: len(rig.kube.acts("watch pods")) == 1)
    yield executor
    assert (rig.folder / "starts").read_text() == "x\n"


def test_finds_the_pod_that_another_made(
    rig: Rig, behind: KubernetesExecutor, order: Order
) -> None:
    other = rig.executor()
    other.start(order)
    eventually(lambda: rig.pod(order) is not None)
    behind.start(order)
    assert Ear(other).end_of(order.attempt).outcome is Outcome.SUCCESS
    rig.kube.hang_up()
    assert Ear(behind).end_of(order.attempt).outcome is Outcome.SUCCESS
    assert len(rig.kube.acts("create pods")) == 1


def test_finds_the_pod_that_another_made_ready(
    rig: Rig, behind: KubernetesExecutor, order: Order
) -> None:
    other = rig.executor()
    other.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    other.close()
    behind.start(order)
    eventually(lambda: GO in (rig.pod(order) or {})["metadata"]["annotations"])
    rig.kube.hang_up()
    assert Ear(behind).end_of(order.attempt).outcome is Outcome.SUCCESS


def test_finds_that_another_has_let_its_pod_go(rig: Rig, order: Order) -> None:
    first = rig.executor()
    first.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    first.close()
    rig.kube.fault(Silent(), on="watch pods")
    behind = rig.executor()
    eventually(lambda: len(rig.kube.acts("watch pods")) == 2)
    other = rig.executor()
    other.start(order)
    eventually(lambda: GO in (rig.pod(order) or {})["metadata"]["annotations"])
    behind.start(order)
    rig.kube.hang_up()
    assert Ear(behind).end_of(order.attempt).outcome is Outcome.SUCCESS
    assert (rig.folder / "starts").read_text() == "x\n"


@pytest.mark.parametrize("ordered", [False, True])
def test_finds_that_the_pod_it_waits_with_is_gone(rig: Rig, order: Order, ordered: bool) -> None:
    first = rig.executor()
    first.prepare([order.outline])
    eventually(lambda: rig.pod(order) is not None)
    first.close()
    rig.kube.fault(Silent(), on="watch pods")
    behind = rig.executor()
    behind.look(order.attempt)
    eventually(lambda: len(rig.kube.acts("watch pods")) == 2)
    rig.running(order).kill()
    rig.kube.remove(pod_name(order.attempt))
    if ordered:
        behind._orders.create(order)
    behind.start(order)
    act = "get pods" if ordered else "patch pods"
    eventually(lambda: len(rig.kube.acts(act)) >= 1)
    rig.kube.hang_up()
    assert Ear(behind).end_of(order.attempt).outcome is Outcome.SUCCESS
    assert (rig.folder / "starts").read_text() == "x\n"
