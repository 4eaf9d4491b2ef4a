from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.states import Cause, Outcome
from runner.agent import locks
from runner.executors.base import (
    ABSENT,
    AttemptId,
    Executor,
    ExecutorError,
    Order,
    Phase,
    Resources,
    Service,
)
from tests.runner.executors import starter
from tests.runner.executors.bench import Bench, alive, wrapped
from tests.runner.executors.contract import PATIENCE, Ear, ExecutorContract, Play, Stage

SCRIPTS = {
    Play.SUCCEED: "echo x >> $STARTS",
    Play.FAIL: "echo x >> $STARTS; exit 3",
    Play.HANG: "echo x >> $STARTS; cat $GATE",
}


class LocalStage:
    def __init__(self, bench: Bench, path: Path) -> None:
        self._bench = bench
        self._path = path
        self._orders: dict[tuple[Play, int], Order] = {}

    def executor(self) -> Executor:
        return self._bench.new_executor()

    def order(self, play: Play, number: int = 1) -> Order:
        gate, starts = self._path / f"gate-{play}", self._path / f"starts-{play}-{number}"
        if not gate.exists():
            os.mkfifo(gate)
        return self._bench.order(
            SCRIPTS[play],
            attempt=AttemptId("run-1", play, number),
            environment={"GATE": str(gate), "STARTS": str(starts)},
        )

    def release(self, order: Order) -> None:
        Path(order.environment["GATE"]).write_text("")

    def starts(self, order: Order) -> int:
        path = Path(order.environment["STARTS"])
        return len(path.read_text().split()) if path.exists() else 0


@pytest.fixture
def stage(bench: Bench, tmp_path: Path) -> Iterator[Stage]:
    yield LocalStage(bench, tmp_path)
    bench.settle()


class TestLocalExecutor(ExecutorContract):
    pass


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def test_a_step_outlives_the_server_that_started_it(
    bench: Bench, tmp_path: Path, gate: Path
) -> None:
    digest = bench.snapshot({})
    order = starter.order(digest, str(gate))
    folders = [str(path) for path in (bench.root, bench.store, tmp_path / "logs")]
    command = [sys.executable, "-m", starter.__name__, *folders, digest, str(gate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"started\n"
        bench.executor.start(order)
        bench.ear.until(order.attempt, Phase.RUNNING)
        server.kill()
    assert server.returncode == -signal.SIGKILL
    assert bench.executor.look(order.attempt).phase is Phase.RUNNING
    assert os.getsid(bench.agent(order)) == bench.agent(order)
    gate.write_text("")
    assert bench.end(order).outcome is Outcome.SUCCESS
    assert bench.text(order) == ["ready", "over"]


def test_what_ends_while_no_server_watches_is_found_ended(
    bench: Bench, tmp_path: Path, gate: Path
) -> None:
    order = bench.order('cat "$GATE"', environment={"GATE": str(gate)})
    first = bench.new_executor()
    ear = Ear(first)
    first.start(order)
    ear.until(order.attempt, Phase.RUNNING)
    first.close()
    gate.write_text("")
    bench.settle()
    assert bench.end(order).outcome is Outcome.SUCCESS


def test_an_agent_that_was_killed_is_lost_and_what_it_ran_ends_too(bench: Bench) -> None:
    order = bench.start_and_see("sleep 300 & echo $!; echo ready; sleep 300")
    os.kill(bench.agent(order), signal.SIGKILL)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.LOST)
    assert result.started
    assert result.started_at is not None
    assert "the agent ended without a result" in result.message
    group = bench.folder(order).read_group()
    assert group is not None
    assert not any(alive(process) for process in (group, int(bench.text(order)[0])))
    bench.executor.start(order)
    assert bench.new_executor().look(order.attempt).result == result


def test_the_workspace_of_a_lost_attempt_is_not_used_again(bench: Bench) -> None:
    order = bench.start_and_see("pwd; echo ready; sleep 300")
    os.kill(bench.agent(order), signal.SIGKILL)
    bench.end(order)
    bench.run("pwd")
    assert bench.last_text()[0] != bench.text(order)[0]


def test_an_attempt_lost_while_no_server_watched_is_found_lost(bench: Bench) -> None:
    order = bench.start_and_see("echo ready; sleep 300")
    bench.executor.close()
    os.kill(bench.agent(order), signal.SIGKILL)
    bench.settle()
    assert bench.folder(order).read_result() is None
    bench.use()
    assert bench.executor.look(order.attempt).phase is Phase.ENDED
    assert bench.end(order).cause is Cause.LOST


def test_an_agent_that_dies_before_the_step_ran_may_be_started_again(
    bench: Bench, tmp_path: Path, gate: Path
) -> None:
    bench.use(interpreter=wrapped(f"echo $$ > {tmp_path}/pid; read x < {gate}"))
    order = bench.start("echo ran")
    with gate.open("w") as held:
        assert bench.executor.look(order.attempt).phase is Phase.WAITING
        assert bench.executor.look(order.attempt).started_at is None
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        bench.ear.until(order.attempt, Phase.ABSENT)
        del held
    bench.use()
    bench.executor.start(order)
    assert bench.end(order).outcome is Outcome.SUCCESS
    assert bench.text(order) == ["ran"]


def test_a_stop_reaches_an_agent_that_is_not_up_yet(
    bench: Bench, tmp_path: Path, gate: Path
) -> None:
    bench.use(interpreter=wrapped(f"read x < {gate}"))
    order = bench.start("echo ran")
    bench.executor.stop(order.attempt)
    gate.write_text("go\n")
    result = bench.end(order)
    assert (result.outcome, result.started) == (Outcome.CANCELLED, False)
    assert result.message == "stopped before it started"
    assert bench.text(order) == []


def test_an_agent_that_dies_on_its_stop_before_the_step_ran_is_cancelled(
    bench: Bench, tmp_path: Path, gate: Path
) -> None:
    bench.use(interpreter=wrapped(f"echo $$ > {tmp_path}/pid; read x < {gate}"))
    order = bench.start("echo ran")
    with gate.open("w"):
        bench.executor.stop(order.attempt)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
    assert not result.started


def test_an_agent_that_does_not_hear_is_killed_with_what_it_runs(bench: Bench) -> None:
    bench.use(margin=0.2)
    order = bench.start_and_see("echo $$; echo ready; exec sleep 300", grace=0.1)
    os.kill(bench.agent(order), signal.SIGSTOP)
    bench.executor.stop(order.attempt)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
    assert "the agent ended without a result" in result.message
    assert not alive(int(bench.text(order)[0]))


def test_a_closed_executor_kills_no_agents(bench: Bench) -> None:
    bench.use(margin=2.0)
    order = bench.start_and_see("echo ready; sleep 300", grace=0.0)
    os.kill(bench.agent(order), signal.SIGSTOP)
    bench.executor.stop(order.attempt)
    bench.executor.close()
    for thread in threading.enumerate():
        if thread.name.startswith("insist "):
            thread.join(PATIENCE)
    os.kill(bench.agent(order), signal.SIGCONT)
    bench.settle()
    bench.use()
    assert bench.end(order).message == "stopped"


def test_an_agent_that_breaks_says_so(bench: Bench) -> None:
    order = bench.order()
    bench.use(interpreter=wrapped(f"echo '{{}}' > {bench.folder(order).path}/order.json"))
    bench.executor.start(order)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.EXECUTOR)
    assert result.message == "the agent broke: KeyError: 'command'"
    assert not result.started
    assert "Traceback" in bench.folder(order).complaints.read_text()


def test_an_interpreter_that_is_not_there(bench: Bench) -> None:
    bench.use(interpreter=("/no/such/python",))
    order = bench.order()
    with pytest.raises(ExecutorError, match="step 1#1 cannot be started on this machine"):
        bench.executor.start(order)
    assert bench.executor.look(order.attempt) == ABSENT
    bench.use()
    bench.executor.start(order)
    assert bench.end(order).outcome is Outcome.SUCCESS


def test_an_agent_that_reads_nothing_does_not_hold_up_its_executor(bench: Bench) -> None:
    bench.use(interpreter=("true",))
    order = bench.start("true", environment={"LARGE": "x" * 1_000_000})
    bench.ear.until(order.attempt, Phase.ABSENT)


def test_a_damaged_result_is_an_error_and_not_for_ever_in_the_way(bench: Bench) -> None:
    order = bench.start("true")
    bench.end(order)
    (bench.folder(order).path / "result.json").write_text("{")
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.EXECUTOR)
    assert "damaged" in result.message
    assert bench.executor.look(order.attempt).result == result


@pytest.mark.parametrize("run", ["../x", "", "a/b", ".", "~"])
def test_a_run_whose_name_is_no_folder_is_refused(bench: Bench, run: str) -> None:
    with pytest.raises(ExecutorError, match="cannot name the folder of a run"):
        bench.executor.look(AttemptId(run, "a", 1))
    with pytest.raises(ExecutorError, match="cannot name the folder of a run"):
        bench.executor.forget(run, [])


def test_what_the_disk_refuses_is_told_as_an_executors_error(bench: Bench) -> None:
    order = bench.order()
    bench.root.mkdir()
    (bench.root / "run-1").write_text("in the way")
    with pytest.raises(ExecutorError, match="cannot be started on this machine"):
        bench.executor.start(order)
    (bench.root / "run-1").unlink()


def test_forgetting_a_run_leaves_nothing_of_it(bench: Bench) -> None:
    first = bench.start("mkdir -p a/b; echo > a/b/c; chmod 500 a/b a")
    second = bench.start("true")
    for order in (first, second):
        bench.end(order)
    bench.settle()
    bench.executor.forget("run-1", [first.attempt, second.attempt])
    assert list(bench.root.iterdir()) == []


def test_forgetting_waits_for_an_agent_that_is_about_to_go(bench: Bench) -> None:
    order = bench.start("true")
    bench.end(order)
    bench.settle()
    held = locks.obtain(bench.folder(order).alive)
    going = threading.Timer(0.2, os.close, [held])
    going.start()
    bench.executor.forget("run-1", [order.attempt])
    assert list(bench.root.iterdir()) == []
    going.join()


def test_forgetting_tells_of_an_agent_that_has_ended_and_does_not_go(bench: Bench) -> None:
    order = bench.start("true")
    bench.end(order)
    bench.settle()
    executor = bench.new_executor(patience=0.02)
    held = locks.obtain(bench.folder(order).alive)
    with pytest.raises(ExecutorError, match="has ended its attempt and does not go"):
        executor.forget("run-1", [order.attempt])
    assert bench.folder(order).path.is_dir()
    os.close(held)
    executor.forget("run-1", [order.attempt])
    assert list(bench.root.iterdir()) == []


def test_forgetting_keeps_what_is_in_use(bench: Bench) -> None:
    living = bench.start_and_see("echo ready; sleep 300")
    ended = bench.start("true")
    bench.end(ended)
    bench.executor.forget("run-1", [living.attempt, ended.attempt])
    home = bench.root / "run-1"
    assert {path.name for path in home.iterdir()} == {living.attempt.name, "workspaces"}
    assert [path.name for path in (home / "workspaces").iterdir()] == ["1"]


def test_nothing_is_left_of_attempts_that_ended(bench: Bench) -> None:
    bench.run()
    bench.settle()
    before = len(list(Path("/dev/fd").iterdir()))
    orders = [bench.start("sleep 0.1") for _ in range(5)]
    for order in orders:
        bench.end(order)
    bench.settle()
    assert len(list(Path("/dev/fd").iterdir())) == before
    for order in orders:
        with pytest.raises(ChildProcessError):
            os.waitpid(bench.agent(order), os.WNOHANG)


def test_many_at_once(bench: Bench) -> None:
    orders = [bench.start(f"echo {number}") for number in range(8)]
    for number, order in enumerate(orders):
        assert bench.end(order).outcome is Outcome.SUCCESS
        assert bench.text(order) == [str(number)]


def test_two_servers_that_start_the_same_attempt_start_it_once(
    bench: Bench, tmp_path: Path
) -> None:
    order = bench.order(f"echo x >> {tmp_path}/starts")
    executors = [bench.new_executor() for _ in range(4)]
    ears = [Ear(executor) for executor in executors]
    threads = [threading.Thread(target=executor.start, args=(order,)) for executor in executors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ear.end_of(order.attempt).ended_at for ear in ears}) == 1
    assert (tmp_path / "starts").read_text() == "x\n"


def test_services_are_refused(bench: Bench) -> None:
    service = Service(name="db", image="postgres:16")
    order = bench.order("true", services=(service,), resources=Resources(cpu=64.0))

    with pytest.raises(ExecutorError, match="services need the Kubernetes executor"):
        bench.executor.start(order)
    assert bench.executor.look(order.attempt) == ABSENT
    assert bench.run("true", resources=Resources(cpu=64.0)).exit_code == 0
