"""The contract of all executors, with Pods made when they are wanted, and with Pods made before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.executors.base import AttemptId, Executor, Order
from runner.kube.podspec import pod_name
from tests.runner.executors.contract import ExecutorContract, Play, Stage
from tests.runner.executors.kubernetes.rig import RUN, Rig

SCRIPTS = {
    Play.SUCCEED: "echo x >> $STARTS",
    Play.FAIL: "echo x >> $STARTS; exit 3",
    Play.HANG: "echo x >> $STARTS; cat $GATE",
}


class PodStage:
    """A stage whose steps are Pods; with `ahead`, each is made ready when its order is made."""

    def __init__(self, rig: Rig, folder: Path, *, ahead: bool) -> None:
        self._rig = rig
        self._folder = folder
        self._ahead = ahead
        self._orders: dict[AttemptId, Order] = {}

    def executor(self) -> Executor:
        return self._rig.executor()

    def order(self, play: Play, number: int = 1) -> Order:
        attempt = AttemptId(RUN, play, number)
        if attempt not in self._orders:
            gate, starts = self._folder / f"gate-{play}", self._folder / f"starts-{play}-{number}"
            if not gate.exists():
                os.mkfifo(gate)
            environment = {"GATE": str(gate), "STARTS": str(starts)}
            order = self._rig.order(SCRIPTS[play], attempt=attempt, environment=environment)
            self._orders[attempt] = order
            if self._ahead:
                self._make_ready(order)
        return self._orders[attempt]

    def _make_ready(self, order: Order) -> None:
        """Have a Pod made ready by a server that is gone when its turn comes."""
        executor = self._rig.executor()
        executor.prepare([order.outline])
        self._rig.kube.wait_for(lambda: pod_name(order.attempt) in self._rig.kube.pods)
        executor.close()

    def release(self, order: Order) -> None:
        Path(order.environment["GATE"]).write_text("")

    def starts(self, order: Order) -> int:
        path = Path(order.environment["STARTS"])
        return len(path.read_text().split()) if path.exists() else 0


class TestPods(ExecutorContract):
    @pytest.fixture
    def stage(self, rig: Rig, tmp_path: Path) -> Stage:
        return PodStage(rig, tmp_path, ahead=False)


class TestPodsStartedAhead(ExecutorContract):
    @pytest.fixture
    def stage(self, rig: Rig, tmp_path: Path) -> Stage:
        return PodStage(rig, tmp_path, ahead=True)
