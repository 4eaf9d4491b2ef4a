"""Steps that run as Pods: how they begin, what is heard of them, how they end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import AttemptId, Order, Phase, Resources, Service
from runner.executors.kubernetes.orders import home
from runner.kube.podspec import GO, pod_name
from runner.objects.base import ObjectMissing, ObjectStoreError
from runner.workspace.snapshots import snapshot_key
from tests.runner.executors.contract import Ear
from tests.runner.executors.kubernetes.rig import HASTE, RUN, Rig, eventually, run
from tests.support.kube_faults import (
    Answer,
    Broken,
    HangUp,
    broken,
    forbidden,
    invalid,
    pod_security,
    quota_exceeded,
    unauthorized,
)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


class TestAStep:
    def test_hands_its_workspace_to_the_next(self, rig: Rig) -> None:
        executor = rig.executor()
        first = run(
            executor, rig.order("cat old; echo new > fresh", input=rig.snapshot({"old": "o"}))
        )
        assert first.snapshot is not None
        second = rig.order("cat old fresh > both && test $(wc -l < both) = 1", input=first.snapshot)
        assert run(executor, second).outcome is Outcome.SUCCESS

    def test_leaves_no_pod_and_a_result(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order()
        result = run(executor, order)
        rig.until_gone(order)
        assert executor.look(order.attempt).result == result
        stored = rig.object(order, "result")
        assert stored is not None
        assert json.loads(stored)["outcome"] == "success"

    def test_has_its_whole_log_when_its_end_is_told(self, rig: Rig) -> None:
        executor = rig.executor()
        order = rig.order("seq 1 5000")
        run(executor, order)
        lines = [line.text for line in rig.logs().read(order.attempt)]
        assert lines == [str(number) for number in range(1, 5001)]

    def test_sees_its_secrets_and_nobody_shows_them(self, rig: Rig) -> None:
        order = rig.order("test $KEY = sesame && echo I know $KEY", secrets={"KEY": "sesame"})
        assert run(rig.executor(), order).outcome is Outcome.SUCCESS
        assert [line.text for line in rig.logs().read(order.attempt)] == ["I know ***"]
        assert "sesame" not in json.dumps(rig.running(order).manifest)

    def test_tells_large_outputs_through_the_store(self, rig: Rig) -> None:
        script = "head -c 9000 /dev/zero | tr '\\0' x > v; echo \"big=$(cat v)\" >> $CI_OUTPUT"
        result = run(rig.executor(), rig.order(script, outputs=("big",)))
        assert result.outcome is Outcome.SUCCESS
        assert result.outputs == {"big": "x" * 9000}

    def test_whose_large_outputs_are_gone_is_no_success(self, rig: Rig) -> None:
        script = "head -c 9000 /dev/zero | tr '\\0' x > v; echo \"big=$(cat v)\" >> $CI_OUTPUT"
        order = rig.order(script, outputs=("big",))
        for _ in range(200):
            rig.objects.fault("get", "/result", ObjectMissing(f"{home(order.attempt)}/result"))
        result = run(rig.executor(), order)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.STORAGE)
        assert "its outputs are lost" in result.message

    def test_that_cannot_be_started_says_so(self, rig: Rig) -> None:
        result = run(rig.executor(), rig.order(command=("no-such-program",)))
        assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.COMMAND)

    def test_takes_no_more_than_its_time(self, rig: Rig) -> None:
        result = run(rig.executor(), rig.order("sleep 60", timeout=0.3, grace=0.5))
        assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.TIMEOUT)


class TestRefusedForGood:
    def test_no_image(self, rig: Rig) -> None:
        rig.settings = rig.settings.model_copy(update={"default_image": None})
        result = run(rig.executor(), rig.order())
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.CONFIG)
        assert not result.started
        assert "names no image" in result.message

    def test_more_than_there_may_be(self, rig: Rig) -> None:
        result = run(rig.executor(), rig.order(resources=Resources(cpu=99.0)))
        assert result.cause is Cause.CONFIG
        assert "99 of cpu" in result.message
        assert not rig.kube.acts("create pods")

    @pytest.mark.parametrize(
        ("answer", "cause", "words"),
        [
            (pod_security(), Cause.CONFIG, "violates PodSecurity"),
            (invalid(), Cause.CONFIG, "is invalid"),
            (
                quota_exceeded("limits.memory=99Gi", "limits.memory=0", "limits.memory=64Gi"),
                Cause.CONFIG,
                "exceeded quota",
            ),
            (forbidden(), Cause.EXECUTOR, "cannot create resource"),
        ],
    )
    def test_in_the_words_of_kubernetes(
        self, rig: Rig, answer: Answer, cause: Cause, words: str
    ) -> None:
        rig.kube.fault(answer, on="create pods")
        order = rig.order()
        result = run(rig.executor(), order)
        assert (result.outcome, result.cause) == (Outcome.ERROR, cause)
        assert not result.started
        assert words in result.message
        assert len(rig.kube.acts("create pods")) == 1

    def test_an_input_that_is_not_there(self, rig: Rig) -> None:
        result = run(rig.executor(), rig.order(input="0" * 64))
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
        assert not result.started

    def test_a_name_that_others_have(self, rig: Rig) -> None:
        order = rig.order()
        labels = {"app.kubernetes.io/managed-by": "somebody"}
        name = pod_name(order.attempt)
        rig.kubelet.held.set()
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels, "annotations": {}},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }
        rig.kube.client().create_pod(manifest)
        result = run(rig.executor(), order)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.EXECUTOR)
        assert "is not this instance's" in result.message

    def test_an_image_that_cannot_be_had(self, rig: Rig) -> None:
        rig.kubelet.absent.add("nowhere/nothing:1")
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(image="nowhere/nothing:1")
        executor.start(order)
        ear.until_true(
            lambda: (
                "cannot be pulled" in executor.look(order.attempt).message
                and "nowhere/nothing:1" in executor.look(order.attempt).message
            )
        )
        rig.kube.add_event(
            pod_name(order.attempt),
            "Failed",
            'Failed to pull image "nowhere/nothing:1": not found',
            count=3,
        )
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.IMAGE)
        assert not result.started
        rig.until_gone(order)


class TestWaits:
    @pytest.mark.parametrize("answer", [quota_exceeded(), unauthorized(), broken(503)])
    def test_for_what_may_pass(self, rig: Rig, answer: Answer) -> None:
        rig.kube.fault(answer, times=7, on="create pods")
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order()
        executor.start(order)
        ear.until_true(lambda: answer.message[:20] in executor.look(order.attempt).message)
        assert executor.look(order.attempt).phase is Phase.WAITING
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_for_a_store_that_is_away(self, rig: Rig) -> None:
        for _ in range(3):
            rig.objects.fault("create", "/order", ObjectStoreError("the store is away"))
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order()
        executor.start(order)
        ear.until_true(lambda: executor.look(order.attempt).message == "the store is away")
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_for_room(self, rig: Rig) -> None:
        rig.kubelet.held.set()
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order()
        executor.start(order)
        ear.until_true(lambda: "no node has room" in executor.look(order.attempt).message)
        rig.kubelet.admit(pod_name(order.attempt))
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS

    def test_tells_the_same_trouble_once(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        seen: set[str] = set()
        executor.listen(lambda attempt: seen.add(executor.look(attempt).message))
        for used in range(6):
            rig.kube.fault(quota_exceeded(used=f"pods={used}"), on="create pods")
        order = rig.order()
        executor.start(order)
        ear.end_of(order.attempt)
        assert len(rig.kube.acts("create pods")) == 7
        assert len([message for message in seen if "exceeded quota" in message]) == 1


class TestTheEnd:
    def test_is_heard_though_no_status_tells_it(self, rig: Rig) -> None:
        rig.kubelet.blind.set()
        executor = rig.executor(patience=HASTE.__class__(**{**vars(HASTE), "linger": 0.2}))
        order = rig.order("echo line")
        assert run(executor, order).outcome is Outcome.SUCCESS
        assert [line.text for line in rig.logs().read(order.attempt)] == ["line"]
        rig.until_gone(order)

    def test_is_seen_though_no_log_tells_it(self, rig: Rig) -> None:
        rig.kubelet.mute.set()
        executor = rig.executor()
        order = rig.order("echo line; exit 3")
        result = run(executor, order)
        assert (result.outcome, result.exit_code) == (Outcome.FAILURE, 3)
        assert [line.text for line in rig.logs().read(order.attempt)] == ["line"]

    def test_is_heard_though_the_stream_breaks(self, rig: Rig) -> None:
        rig.kube.fault(Broken(after=2), times=3, on="get pods/log")
        order = rig.order("for i in 1 2 3 4 5 6; do echo $i; sleep 0.05; done")
        assert run(rig.executor(), order).outcome is Outcome.SUCCESS
        assert [line.text for line in rig.logs().read(order.attempt)] == list("123456")

    def test_waits_for_the_lines_that_the_cluster_threw_away(self, rig: Rig, gate: Path) -> None:
        rig.kubelet.mute.set()
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"echo one; cat {gate}; echo two")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.kubelet.mute.clear()
        gate.write_text("")
        ear.end_of(order.attempt)
        texts = [line.text for line in rig.logs().read(order.attempt)]
        assert texts == ["one", "two"]

    def test_is_told_with_a_warning_if_lines_are_lost(self, rig: Rig, gate: Path) -> None:
        rig.kubelet.mute.set()
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"echo one; cat {gate}; echo two")
        key = f"{home(order.attempt)}/log"
        for _ in range(200):
            rig.objects.fault("get", "/log", ObjectMissing(key))
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        gate.write_text("")
        result = ear.end_of(order.attempt)
        assert result.outcome is Outcome.SUCCESS
        assert result.warnings == ("a part of its log is lost",)
        rig.until_gone(order)
        stored = rig.object(order, "result")
        assert stored is not None
        assert json.loads(stored)["warnings"] == ["a part of its log is lost"]

    def test_of_a_step_that_ran_out_of_memory(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order("echo ready; sleep 60")
        executor.start(order)
        eventually(lambda: "ready" in [line.text for line in rig.logs().read(order.attempt)])
        rig.running(order).kill("step", "OOMKilled")
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.OUT_OF_MEMORY)
        assert result.started
        assert result.snapshot

    def test_of_a_step_whose_container_was_killed_for_no_known_reason(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order("echo ready; sleep 60")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.kubelet.blind.set()
        rig.running(order).kill("step")
        result = ear.end_of(order.attempt)
        assert result.outcome is not Outcome.SUCCESS
        assert result.cause is not Cause.OUT_OF_MEMORY

    def test_of_a_pod_that_somebody_deleted(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order("echo ready; sleep 60")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.kube.client().delete_pod(pod_name(order.attempt))
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.LOST)
        assert result.message == "its Pod was deleted, and not by Hookline"
        assert result.started
        assert result.snapshot, "the agent had the time to capture"

    def test_of_a_pod_that_vanished(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order("echo ready; sleep 60")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.running(order).kill()
        rig.kube.remove(pod_name(order.attempt))
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.LOST)
        assert result.started
        assert result.snapshot is None

    def test_of_a_pod_that_vanished_after_it_was_told_to_the_store(
        self, rig: Rig, gate: Path
    ) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"cat {gate}; exit 7")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        executor.close()
        gate.write_text("")
        eventually(lambda: rig.object(order, "log") is not None)
        rig.running(order).join()
        rig.kube.remove(pod_name(order.attempt))
        result = rig.executor().look(order.attempt).result
        assert result is not None
        assert (result.outcome, result.exit_code) == (Outcome.FAILURE, 7)
        assert result.snapshot

    def test_of_an_agent_that_makes_no_sense(self, rig: Rig) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order("echo ready; sleep 60")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        name = pod_name(order.attempt)
        rig.kube.feed(name, b'> ended {"outcome": "wonderful"}\n')
        (rig.running(order).root / "termination").write_text('{"outcome": "wonderful"}')
        rig.running(order).kill("agent")
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.EXECUTOR)
        assert "makes no sense: outcome" in result.message

    def test_of_a_step_whose_snapshot_is_missing(self, rig: Rig, gate: Path) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"cat {gate}; echo new > file")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.objects.fault("get", "", _SnapshotsOnly(home(order.attempt)))
        gate.write_text("")
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
        assert result.snapshot is None

    def test_waits_for_a_store_that_is_away(self, rig: Rig, gate: Path) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"cat {gate}; echo new > file")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        for _ in range(3):
            rig.objects.fault("put", "", ObjectStoreError("the store is away"))
        gate.write_text("")
        result = ear.end_of(order.attempt)
        assert result.outcome is Outcome.SUCCESS
        assert result.snapshot is not None
        assert rig.objects.memory.size(snapshot_key(result.snapshot)) is not None


def _SnapshotsOnly(prefix: str) -> Exception:
    return ObjectMissing(f"{prefix}/snapshots/x")


class TestServices:
    def order(self, rig: Rig, script: str, *services: Service) -> Order:
        return rig.order(script, services=services)

    def test_are_waited_for(self, rig: Rig, tmp_path: Path) -> None:
        ready = tmp_path / "ready"
        service = Service(
            name="db",
            image="x",
            command=("sh", "-c", "echo up; sleep 60"),
            ready=f"test -e {ready}",
        )
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, f"test -e {ready}", service)
        executor.start(order)
        ear.until_true(lambda: "service `db`" in executor.look(order.attempt).message)
        assert GO not in (rig.pod(order) or {})["metadata"]["annotations"]
        ready.touch()
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
        rig.until_gone(order)
        book = rig.logs()
        assert book.services(order.attempt) == ("db",)
        assert [line.text for line in book.read_service(order.attempt, "db")] == ["up"]

    def test_without_readiness_are_waited_for_until_they_are_started(self, rig: Rig) -> None:
        service = Service(name="db", image="x", command=("sleep", "60"))
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, "true", service)
        executor.start(order)
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
        rig.until_gone(order)

    def test_whose_image_cannot_be_had_keep_the_step_from_running(self, rig: Rig) -> None:
        rig.kubelet.absent.add("nowhere/nothing:1")
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, "true", Service(name="db", image="nowhere/nothing:1"))
        executor.start(order)
        words = "the image `nowhere/nothing:1` of service `db` cannot be pulled"
        ear.until_true(lambda: words in executor.look(order.attempt).message)
        assert GO not in (rig.pod(order) or {})["metadata"]["annotations"]
        rig.kube.add_event(
            pod_name(order.attempt),
            "Failed",
            'Failed to pull image "nowhere/nothing:1": not found',
            count=3,
        )
        result = ear.end_of(order.attempt)
        assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.IMAGE)
        assert not result.started
        rig.until_gone(order)

    def test_that_never_become_ready_leave_what_they_wrote(self, rig: Rig) -> None:
        service = Service(
            name="db", image="x", command=("sh", "-c", "echo up; sleep 60"), ready="false"
        )
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, "true", service)
        executor.start(order)
        ear.until_true(lambda: "service `db`" in executor.look(order.attempt).message)
        executor.stop(order.attempt)
        assert ear.end_of(order.attempt).outcome is Outcome.CANCELLED
        book = rig.logs()
        assert [line.text for line in book.read_service(order.attempt, "db")] == ["up"]
        rig.until_gone(order)

    def test_can_be_given_up_while_their_logs_cannot_be_kept(self, rig: Rig) -> None:
        service = Service(name="db", image="x", command=("sleep", "60"), ready="false")
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, "true", service)
        executor.start(order)
        ear.until_true(lambda: "service `db`" in executor.look(order.attempt).message)
        rig.objects.fault("put", ".db", ObjectStoreError("the store is away"))
        executor.stop(order.attempt)
        assert ear.end_of(order.attempt).outcome is Outcome.CANCELLED
        assert rig.objects.faults == []
        rig.until_gone(order)

    def test_that_end_before_they_are_ready_end_the_step(self, rig: Rig) -> None:
        service = Service(name="db", image="x", command=("sh", "-c", "exit 9"), ready="false")
        order = self.order(rig, "true", service)
        result = run(rig.executor(), order)
        assert result.outcome is not Outcome.SUCCESS
        assert not result.started
        assert "service `db` ended with exit code 9" in result.message

    def test_a_log_that_cannot_be_read_is_no_obstacle(self, rig: Rig) -> None:
        service = Service(name="db", image="x", command=("sh", "-c", "echo up; sleep 60"))
        executor = rig.executor()
        ear = Ear(executor)
        order = self.order(rig, "sleep 0.3", service)
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.kube.fault(broken(500), on="get pods/log")
        ear.end_of(order.attempt)
        rig.until_gone(order)
        assert rig.logs().services(order.attempt) == ()


class TestAServerThatIsAway:
    def test_takes_up_what_ended_meanwhile(self, rig: Rig, gate: Path) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"cat {gate}; echo done")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        executor.close()
        gate.write_text("")
        eventually(lambda: rig.object(order, "log") is not None)
        second = rig.executor()
        second.start(order)
        assert Ear(second).end_of(order.attempt).outcome is Outcome.SUCCESS
        assert [line.text for line in rig.logs(2).read(order.attempt)] == ["done"]
        rig.until_gone(order)

    def test_an_api_server_that_is_away_changes_nothing(self, rig: Rig, gate: Path) -> None:
        executor = rig.executor()
        ear = Ear(executor)
        order = rig.order(f"cat {gate}; echo done")
        executor.start(order)
        ear.until(order.attempt, Phase.RUNNING)
        rig.kube.fault(broken(503), times=6)
        rig.kube.hang_up()
        gate.write_text("")
        assert ear.end_of(order.attempt).outcome is Outcome.SUCCESS
        rig.until_gone(order)

    def test_answers_that_were_lost_are_no_second_pod(self, rig: Rig) -> None:
        rig.kube.fault(HangUp(done=True), on="create secrets")
        rig.kube.fault(HangUp(done=True), on="create pods")
        order = rig.order("echo x >> $STARTS", environment={"STARTS": str(rig.folder / "starts")})
        assert run(rig.executor(), order).outcome is Outcome.SUCCESS
        assert (rig.folder / "starts").read_text() == "x\n"


def test_an_attempt_is_asked_about_by_its_own_name(rig: Rig) -> None:
    assert rig.executor().look(AttemptId(RUN, "never", 1)).phase is Phase.ABSENT
