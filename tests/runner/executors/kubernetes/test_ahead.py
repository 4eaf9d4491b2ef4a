"""Pods that are made ready before their turn, and that give way."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.states import Outcome
from runner.executors.base import Order, Outline, Phase, Resources
from runner.kube.podspec import GO
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.rig import Rig, eventually, run
from tests.support.kube_faults import pod_security, quota_exceeded


def outlines(orders: Sequence[Order]) -> list[Outline]:
    return [order.outline for order in orders]


class TestMadeReady:
    def test_are_so_many_and_no_more(self, rig: Rig) -> None:
        executor = rig.executor()
        orders = [rig.order() for _ in range(4)]
        executor.prepare(outlines(orders))
        eventually(lambda: len(rig.kube.pods) == 2)
        assert all(rig.pod(order) for order in orders[:2])
        assert GO not in (rig.pod(orders[0]) or {})["metadata"]["annotations"]
        assert rig.object(orders[0], "order") is None

    def test_none_if_the_setting_says_so(self, rig: Rig) -> None:
        rig.settings = rig.settings.model_copy(update={"ahead": 0})
        executor = rig.executor()
        ahead = rig.order()
        executor.prepare([ahead.outline])
        run(executor, rig.order())
        assert rig.pod(ahead) is None

    def test_begins_when_its_turn_comes(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order()
        executor.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None)
        assert run(executor, order).outcome is Outcome.SUCCESS
        assert len(rig.kube.acts("create pods")) == 1

    def test_may_be_offered_again(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order()
        for _ in range(3):
            executor.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None)
        executor.prepare([order.outline])
        assert run(executor, order).outcome is Outcome.SUCCESS
        assert len(rig.kube.acts("create pods")) == 1

    def test_what_runs_already_does_not_count(self, rig: Rig) -> None:
        executor = rig.executor()
        running, *others = (rig.order("sleep 60"), rig.order(), rig.order())
        ear = Ear(executor)
        executor.start(running)
        ear.until(running.attempt, Phase.RUNNING)
        executor.prepare(outlines([running, *others]))
        eventually(lambda: all(rig.pod(order) for order in others))
        executor.stop(running.attempt)
        ear.end_of(running.attempt)

    def test_is_given_up_when_it_is_not_offered_any_more(self, rig: Rig) -> None:
        executor = rig.executor()
        first, second = rig.order(), rig.order()
        executor.prepare(outlines([first, second]))
        eventually(lambda: len(rig.kube.pods) == 2)
        executor.prepare(outlines([second]))
        rig.until_gone(first)
        assert rig.pod(second) is not None
        executor.prepare([])
        rig.until_gone(second)

    def test_is_made_anew_if_its_turn_comes_after_all(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order()
        executor.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None)
        executor.prepare([])
        assert run(executor, order).outcome is Outcome.SUCCESS

    def test_by_a_dead_server_is_given_up_by_the_next(self, rig: Rig) -> None:
        first = rig.executor()
        left, kept = rig.order(), rig.order()
        first.prepare(outlines([left, kept]))
        eventually(lambda: len(rig.kube.pods) == 2)
        first.close()
        second = rig.executor()
        second.look(kept.attempt)
        second.prepare([kept.outline])
        rig.until_gone(left)
        assert rig.pod(kept) is not None
        assert run(second, kept).outcome is Outcome.SUCCESS
        assert len(rig.kube.acts("create pods")) == 2

    def test_what_may_not_be_is_left_for_its_turn(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order(resources=Resources(cpu=99.0))
        executor.prepare([order.outline])
        assert "99 of cpu" in run(executor, order).message

    def test_what_is_refused_is_not_tried_again_ahead(self, rig: Rig) -> None:
        rig.kube.fault(pod_security(), on="create pods")
        executor = rig.executor()
        order = rig.order()
        executor.prepare([order.outline])
        eventually(lambda: len(rig.kube.acts("create pods")) == 1)
        eventually(lambda: executor._roster.get(order.attempt) is None)
        assert run(executor, order).outcome is Outcome.SUCCESS
        assert len(rig.kube.acts("create pods")) == 2


class TestGivesWay:
    def test_to_a_pod_that_meets_the_quota(self, rig: Rig) -> None:
        executor = rig.executor()
        ahead = rig.order()
        executor.prepare([ahead.outline])
        eventually(lambda: rig.pod(ahead) is not None)
        rig.kube.fault(quota_exceeded(), times=3, on="create pods")
        order = rig.order()
        ear = Ear(executor)
        executor.start(order)
        rig.until_gone(ahead)
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
        eventually(lambda: rig.pod(ahead) is not None, "made ready again")

    def test_to_a_pod_that_has_no_room(self, rig: Rig) -> None:
        executor = rig.executor()
        ahead = rig.order()
        executor.prepare([ahead.outline])
        eventually(lambda: "running" in str((rig.pod(ahead) or {"status": ""})["status"]))
        rig.kubelet.held.set()
        order = rig.order()
        ear = Ear(executor)
        executor.start(order)
        rig.until_gone(ahead)
        rig.kubelet.held.clear()
        rig.kubelet.admit(str((rig.pod(order) or {})["metadata"]["name"]))
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_if_it_has_no_room_itself(self, rig: Rig) -> None:
        rig.kubelet.held.set()
        executor = rig.executor()
        ahead = rig.order()
        executor.prepare([ahead.outline])
        eventually(lambda: len(rig.kube.acts("create pods")) == 1)
        rig.until_gone(ahead)
        rig.kubelet.held.clear()
        eventually(lambda: rig.pod(ahead) is not None, "made ready again")

    def test_to_the_quota_itself(self, rig: Rig) -> None:
        rig.kube.fault(quota_exceeded(), on="create pods")
        executor = rig.executor()
        ahead = rig.order()
        executor.prepare([ahead.outline])
        eventually(lambda: rig.pod(ahead) is not None, "tried again")
        assert len(rig.kube.acts("create pods")) == 2

    def test_if_its_image_cannot_be_had(self, rig: Rig) -> None:
        rig.kubelet.absent.add("nothing:1")
        executor = rig.executor()
        ahead = rig.order(image="nothing:1")
        executor.prepare([ahead.outline])
        eventually(lambda: rig.pod(ahead) is not None)
        name = str((rig.pod(ahead) or {})["metadata"]["name"])
        eventually(lambda: "running" in str((rig.pod(ahead) or {})["status"]))
        rig.kube.finish(name, {"step": 1}, phase="Failed")
        rig.until_gone(ahead)
