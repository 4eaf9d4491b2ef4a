"""What is left of attempts in the cluster and in the store, and how it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.executors.base import ABSENT, AttemptId, ExecutorError, Phase, Service
from runner.executors.kubernetes.orders import passing_keys
from runner.kube.podspec import make_pod, make_secret, pod_name
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.rig import HASTE, RUN, Rig, eventually, run
from tests.support.kube_faults import broken

OLD = 1_000_000.0


class TestForget:
    def test_leaves_nothing_but_snapshots_and_logs(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order("echo line; echo new > file")
        result = run(executor, order)
        executor.forget(RUN, [order.attempt])
        assert executor.look(order.attempt) == ABSENT
        assert not rig.kube.secrets
        rig.until_gone(order)
        left = {key for key in passing_keys(order.attempt) if rig.objects.memory.size(key)}
        assert not left
        assert result.snapshot is not None
        assert rig.snapshots.load(result.snapshot).digest == result.snapshot
        assert [line.text for line in rig.logs().read(order.attempt)] == ["line"]

    def test_spares_what_lives_and_its_secret(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        ended, living = rig.order(), rig.order("sleep 60")
        executor.start(living)
        ear.until(living.attempt, Phase.RUNNING)
        run(executor, ended)
        executor.forget(RUN, [ended.attempt, living.attempt])
        assert executor.look(ended.attempt) == ABSENT
        assert executor.look(living.attempt).phase is Phase.RUNNING
        assert pod_name(living.attempt) in rig.kube.secrets
        executor.stop(living.attempt)
        ear.end_of(living.attempt)
        executor.forget(RUN, [living.attempt])
        assert not rig.kube.secrets

    def test_takes_what_was_only_made_ready(self, rig: Rig) -> None:
        executor = rig.executor()
        order, ahead = rig.order(), rig.order()
        executor.prepare([ahead.outline])
        eventually(lambda: rig.pod(ahead) is not None)
        run(executor, order)
        executor.forget(RUN, [order.attempt])
        rig.until_gone(ahead)
        assert not rig.kube.secrets

    def test_after_a_restart_spares_what_lives(self, rig: Rig) -> None:
        first = rig.executor()
        ear = Ear(first)
        living = rig.order("sleep 60")
        first.start(living)
        ear.until(living.attempt, Phase.RUNNING)
        first.close()
        second = rig.executor()
        second.look(AttemptId(RUN, "other", 1))
        second.forget(RUN, [living.attempt])
        assert second.look(living.attempt).phase is Phase.RUNNING

    def test_after_a_restart_takes_what_was_made_ready(self, rig: Rig) -> None:
        first = rig.executor()
        ahead = rig.order()
        first.prepare([ahead.outline])
        eventually(lambda: rig.pod(ahead) is not None)
        first.close()
        second = rig.executor()
        second.look(AttemptId(RUN, "other", 1))
        second.forget(RUN, [])
        rig.until_gone(ahead)

    def test_says_that_the_cluster_is_away(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order()
        run(executor, order)
        rig.until_gone(order)
        rig.kube.fault(broken(503), times=5, on="deletecollection secrets")
        with pytest.raises(ExecutorError, match="cannot be removed now"):
            executor.forget(RUN, [order.attempt])
        executor.forget(RUN, [order.attempt])
        assert not rig.kube.secrets


class TestSweep:
    def make(self, rig: Rig, run_id: str, *, born: float) -> str:
        """Leave the Pod and the Secret of an attempt of some run; return their name."""
        outline = replace(rig.order().outline, attempt=AttemptId(run_id, "x", 1))
        pod = make_pod(outline, rig.settings, go=True, waiting=60.0, born=born)
        secret = make_secret(outline, rig.settings, order_url="", ca="", born=born)
        rig.kube.client().create_secret(secret)
        rig.kubelet.held.set()
        rig.kube.client().create_pod(pod)
        rig.kubelet.held.clear()
        name = pod_name(outline.attempt)
        if born == OLD:
            rig.kube.change(name, {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}})
        return name

    def test_takes_what_no_run_knows_and_spares_the_new(self, rig: Rig) -> None:
        executor = rig.executor()
        now = 1_795_470_000.0
        known = self.make(rig, "known", born=OLD)
        strange = self.make(rig, "strange", born=OLD)
        fresh = self.make(rig, "fresh", born=now)
        eventually(lambda: str(executor._reflector.pods).count("2020-") == 2)
        eventually(lambda: len(executor._reflector.pods) == 3)
        order = rig.order()
        run(executor, order)
        rig.until_gone(order)
        assert executor.sweep({"known"}) == (strange,)
        eventually(lambda: strange not in rig.kube.pods)
        assert {known, fresh} <= set(rig.kube.pods)
        assert strange not in rig.kube.secrets
        assert known in rig.kube.secrets
        assert pod_name(order.attempt) in rig.kube.secrets

    def test_takes_all_if_no_run_goes_on(self, rig: Rig) -> None:
        executor = rig.executor()
        strange = self.make(rig, "strange", born=OLD)
        eventually(lambda: "2020-" in str(executor._reflector.pods))
        assert executor.sweep(()) == (strange,)
        assert not rig.kube.secrets

    def test_takes_by_force_what_does_not_leave(self, rig: Rig) -> None:
        executor = rig.executor()
        strange = self.make(rig, "strange", born=OLD)
        rig.kube.set_status(strange, {"phase": "Running"})
        gone = {"deletionTimestamp": "2020-01-01T00:00:00Z"}
        rig.kube.change(strange, {"metadata": gone})
        eventually(lambda: bool(executor._reflector.pods))
        eventually(lambda: "deletionTimestamp" in str(executor._reflector.pods))
        executor.sweep(())
        body = rig.kube.acts("delete pods")[-1].body
        assert body["gracePeriodSeconds"] == 0

    def test_says_that_the_cluster_is_away(self, rig: Rig) -> None:
        executor = rig.executor()
        rig.kube.fault(broken(503), times=5, on="deletecollection secrets")
        with pytest.raises(ExecutorError, match="cannot be swept now"):
            executor.sweep(())


class TestAPodThatDoesNotLeave:
    def test_is_deleted_by_force(self, rig: Rig) -> None:
        executor = rig.executor(patience=replace(HASTE, leave=0.3))
        order = rig.order(services=(Service(name="db", image="x", command=("sleep", "60")),))
        rig.kubelet.stubborn.set()
        run(executor, order)
        rig.until_gone(order)
        graces = [r.body["gracePeriodSeconds"] for r in rig.kube.acts("delete pods")]
        assert graces == [5, 0]


class TestACloseExecutor:
    def test_knows_nothing_of_a_cluster_that_never_answered(self, rig: Rig) -> None:
        rig.kube.fault(broken(503), times=1000, on="list pods")
        executor = rig.executor(patience=replace(HASTE, look=0.2))
        with pytest.raises(ExecutorError, match="cannot be seen now"):
            executor.look(AttemptId(RUN, "x", 1))
        order = rig.order()
        executor.start(order)
        assert executor.look(order.attempt).phase is Phase.WAITING
        rig.kube.calm()
        assert Ear(executor).end_of(order.attempt).started
