"""Attempts that are asked to end: before they are there, while they wait, while they run."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import ABSENT, Phase, Result, Service
from runner.executors.kubernetes.executor import KubernetesExecutor
from runner.kube.podspec import pod_name
from runner.objects.base import ObjectStoreError
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.rig import HASTE, Rig, eventually
from tests.support.kube_faults import broken, quota_exceeded

HANG = "echo ready; sleep 60"


def cancelled(result: Result, *, started: bool) -> None:
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
    assert result.started is started
    assert result.message


class TestBeforeItRuns:
    def test_without_a_pod(self, rig: Rig) -> None:
        rig.kube.fault(quota_exceeded(), times=1000, on="create pods")
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(HANG)
        executor.start(order)
        ear.until_true(lambda: "exceeded quota" in executor.look(order.attempt).message)
        executor.stop(order.attempt)
        cancelled(ear.end_of(order.attempt), started=False)
        rig.kube.calm()
        assert rig.pod(order) is None

    def test_with_services_that_are_not_ready(self, rig: Rig) -> None:
        service = Service(name="db", image="x", command=("sleep", "60"), ready="false")
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(HANG, services=(service,))
        executor.start(order)
        ear.until_true(lambda: "service `db`" in executor.look(order.attempt).message)
        executor.stop(order.attempt)
        cancelled(ear.end_of(order.attempt), started=False)
        rig.until_gone(order)

    def test_with_a_pod_that_has_no_room(self, rig: Rig) -> None:
        rig.kubelet.held.set()
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(HANG)
        executor.start(order)
        ear.until_true(lambda: "no node has room" in executor.look(order.attempt).message)
        executor.stop(order.attempt)
        cancelled(ear.end_of(order.attempt), started=False)
        rig.until_gone(order)

    def test_that_waits_for_the_go_of_a_dead_server(self, rig: Rig) -> None:
        first = rig.executor()
        order = rig.order(HANG)
        first.prepare([order.outline])
        eventually(lambda: rig.pod(order) is not None)
        first.close()
        second = rig.executor()
        second.stop(order.attempt)
        assert second.look(order.attempt) == ABSENT
        rig.until_gone(order)


class TestWhileItRuns:
    def start(self, rig: Rig, executor: KubernetesExecutor, script: str, **changes: float) -> Ear:
        ear = Ear(executor)
        self.order = rig.order(script, **changes)
        executor.start(self.order)
        ear.until(self.order.attempt, Phase.RUNNING)
        return ear

    def test_keeps_what_it_left(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = self.start(rig, executor, "echo new > file; echo ready; sleep 60")
        eventually(lambda: "ready" in [line.text for line in rig.logs().read(self.order.attempt)])
        executor.stop(self.order.attempt)
        result = ear.end_of(self.order.attempt)
        cancelled(result, started=True)
        assert result.snapshot is not None
        assert [e.path for e in rig.snapshots.load(result.snapshot).files()] == ["file"]
        rig.until_gone(self.order)

    def test_that_does_not_listen_is_killed_after_its_grace(self, rig: Rig) -> None:
        executor = rig.executor()
        script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
        ear = self.start(rig, executor, script, grace=0.2)
        executor.stop(self.order.attempt)
        cancelled(ear.end_of(self.order.attempt), started=True)

    def test_whose_agent_hangs_is_killed_with_its_pod(self, rig: Rig) -> None:
        executor = rig.executor(patience=replace(HASTE, margin=0.3))
        ear = self.start(rig, executor, HANG, grace=0.1)
        rig.running(self.order).processes["agent"].send_signal(signal.SIGSTOP)
        executor.stop(self.order.attempt)
        cancelled(ear.end_of(self.order.attempt), started=True)
        rig.until_gone(self.order)

    def test_by_another_server_whose_agent_hangs(self, rig: Rig) -> None:
        first = rig.executor()
        self.start(rig, first, HANG, grace=0.1)
        first.close()
        rig.running(self.order).processes["agent"].send_signal(signal.SIGSTOP)
        second = rig.executor(patience=replace(HASTE, margin=0.3))
        ear = Ear(second)
        second.stop(self.order.attempt)
        cancelled(ear.end_of(self.order.attempt), started=True)

    def test_is_asked_again_if_the_server_is_unwell(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = self.start(rig, executor, HANG)
        rig.kube.fault(broken(503), times=7, on="patch pods")
        executor.stop(self.order.attempt)
        cancelled(ear.end_of(self.order.attempt), started=True)

    def test_that_has_gone_meanwhile(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = self.start(rig, executor, HANG)
        rig.running(self.order).kill()
        rig.kube.remove(pod_name(self.order.attempt))
        executor.stop(self.order.attempt)
        result = ear.end_of(self.order.attempt)
        assert result.outcome in (Outcome.CANCELLED, Outcome.ERROR)
        assert result.started


@pytest.mark.parametrize("outcome", [0, 3])
def test_what_ends_just_before_it_is_stopped_keeps_its_end(
    rig: Rig, tmp_path: Path, outcome: int
) -> None:
    executor = rig.executor()
    ear = Ear(executor)
    order = rig.order(f"exit {outcome}")
    executor.start(order)
    result = ear.end_of(order.attempt)
    executor.stop(order.attempt)
    assert executor.look(order.attempt).result == result
    assert result.exit_code == outcome


class TestWhoAskedForIt:
    """An agent that was told to end says that it was stopped; by whom is known here only."""

    def end(self, rig: Rig, *, by_us: bool) -> Result:
        """Have a step end before its time while a server dies; return what the next one tells."""
        first = rig.executor()
        ear = Ear(first)
        order = rig.order(HANG)
        first.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        eventually(lambda: "ready" in [line.text for line in rig.logs().read(order.attempt)])
        eventually(lambda: rig.object(order, "begun") is not None)
        if by_us:
            rig.objects.fault("put", "/stop", ObjectStoreError("away for a moment"))
            first.stop(order.attempt)
            eventually(lambda: "hookline.dev/stop" in str(rig.pod(order)))
            eventually(lambda: rig.object(order, "stop") is not None)
        first.close()
        if not by_us:
            rig.kube.client().delete_pod(pod_name(order.attempt))
        eventually(lambda: rig.object(order, "log") is not None)
        rig.running(order).join()
        rig.kube.remove(pod_name(order.attempt))
        result = rig.executor().look(order.attempt).result
        assert result is not None
        return result

    def test_a_server_that_died_since(self, rig: Rig) -> None:
        cancelled(self.end(rig, by_us=True), started=True)

    def test_somebody_else_while_no_server_was_there(self, rig: Rig) -> None:
        result = self.end(rig, by_us=False)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.LOST)
        assert result.started
