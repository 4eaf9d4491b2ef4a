from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.planning import SHELLS
from pipelines.schema import LONGEST_TEXT
from pipelines.states import Cause, Outcome
from runner.executors.base import Order
from tests.runner.executors.bench import Bench, alive, wrapped

LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux gives orphans to the agent (see leftovers)"
)


def test_output_and_errors_go_to_one_log_in_order(bench: Bench) -> None:
    bench.run("echo one; echo two >&2; echo three; printf four")
    assert bench.last_text() == ["one", "two", "three", "four"]


def test_there_is_nothing_to_read(bench: Bench) -> None:
    assert bench.run("cat; echo over").outcome is Outcome.SUCCESS
    assert bench.last_text() == ["over"]


def test_a_step_that_closes_its_output_is_waited_for(bench: Bench) -> None:
    assert bench.run("echo one; exec >&- 2>&-; sleep 0.1; exit 4").exit_code == 4
    assert bench.last_text() == ["one"]


def test_more_than_a_pipe_holds(bench: Bench) -> None:
    bench.run("head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000")
    lines = bench.last_text()
    assert len(lines) == 3000
    assert set(lines) == {"x" * 1000}


def test_bytes_that_are_no_text(bench: Bench) -> None:
    bench.run("printf '\\377\\376\\000ok\\n'")
    assert bench.last_text() == ["\ufffd\ufffd\0ok"]


def test_many_lines(bench: Bench) -> None:
    bench.run("seq 100000")
    assert bench.last_text() == [str(number) for number in range(1, 100001)]


def test_a_log_past_its_limit_is_cut_with_a_warning(bench: Bench) -> None:
    bench.use(log_limit=1000)
    result = bench.run("seq 1000")
    assert result.outcome is Outcome.SUCCESS
    assert [warning for warning in result.warnings if "the log was cut" in warning]
    assert "[the log is larger than 1000 bytes: the rest is not kept]" in bench.last_text()


@pytest.mark.parametrize("code", [1, 126, 127, 255])
def test_an_exit_code_is_the_steps_own(bench: Bench, code: int) -> None:
    result = bench.run(f"exit {code}")
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.EXIT_CODE)
    assert result.exit_code == code


@pytest.mark.parametrize("name", ["SEGV", "KILL"])
def test_a_step_that_a_signal_ends(bench: Bench, name: str) -> None:
    result = bench.run(f"kill -{name} $$")
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.SIGNAL)
    assert f"SIG{name}" in result.message
    assert ("out of memory" in result.message) is (name == "KILL")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (("no-such-program", "x"), "cannot start `no-such-program`: there is no such program"),
        (("./data",), "cannot start `./data`: it may not be run"),
        (("sh", "nul\0"), "embedded null byte"),
        (("sh", "x" * 3_000_000), "cannot start `sh`: Argument list too long; one variable"),
        ((), "the step has no command"),
    ],
)
def test_a_command_that_cannot_be_started(
    bench: Bench, command: tuple[str, ...], complaint: str
) -> None:
    result = bench.run(command=command, input=bench.snapshot({"data": "x"}))
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.COMMAND)
    assert complaint in result.message
    assert not result.started
    assert result.snapshot


@LINUX
def test_a_script_as_long_as_a_pipeline_may_have_is_started(bench: Bench) -> None:
    script = "echo $0 $#; exit 7 #".ljust(LONGEST_TEXT, "x")
    assert bench.run(command=(*SHELLS["sh"], script)).exit_code == 7
    assert bench.last_text() == ["sh 0"]
    result = bench.run(command=(*SHELLS["sh"], f"{script}x"))
    assert (result.started, result.cause) == (False, Cause.COMMAND)


def test_a_command_leads_a_session_of_its_own(bench: Bench) -> None:
    program = "import os; print(os.getpid() == os.getsid(0) == os.getpgid(0), os.getppid())"
    order = bench.start(command=(sys.executable, "-c", program))
    bench.end(order)
    assert bench.text(order) == [f"True {bench.agent(order)}"]


def test_a_step_that_runs_too_long_is_ended(bench: Bench) -> None:
    result = bench.run("echo left > left; sleep 300", timeout=0.3)
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.TIMEOUT)
    assert result.message == "ran longer than 0.3s"
    assert set(bench.files(result.snapshot)) == {"left"}


def test_a_step_that_will_not_end_is_killed(bench: Bench) -> None:
    result = bench.run("trap '' TERM; while :; do sleep 1; done", timeout=0.2, grace=0.2)
    assert result.cause is Cause.TIMEOUT
    assert result.exit_code is None


def test_a_step_may_tidy_up_when_it_is_stopped(bench: Bench) -> None:
    script = "trap 'echo tidy; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    order = bench.start_and_see(script)
    bench.executor.stop(order.attempt)
    result = bench.end(order)
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 5)
    assert bench.text(order)[-1] == "tidy"


def test_what_a_shell_started_may_tidy_up_though_the_shell_is_gone(bench: Bench) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), print('tidy'), sys.exit()))\n"
        "print('ready', flush=True)\n"
        "time.sleep(300)\n"
    )
    order = bench.start_and_see(f'{sys.executable} -c "{program}"; true')
    bench.executor.stop(order.attempt)
    assert bench.end(order).outcome is Outcome.CANCELLED
    assert bench.text(order) == ["ready", "tidy"]


def test_a_step_that_ignores_its_stop_is_killed_after_the_grace(bench: Bench) -> None:
    order = bench.start_and_see("trap '' TERM; echo ready; while :; do sleep 1; done", grace=0.2)
    bench.executor.stop(order.attempt)
    assert bench.end(order).outcome is Outcome.CANCELLED


def test_what_is_left_in_the_background_is_killed_though_it_holds_the_pipe(bench: Bench) -> None:
    result = bench.run("sleep 300 & echo $!; exit 3")
    assert result.exit_code == 3
    assert not alive(int(bench.last_text()[0]))


def test_what_writes_on_in_the_background_does_not_keep_a_step_from_ending(bench: Bench) -> None:
    assert bench.run("yes & echo over").outcome is Outcome.SUCCESS
    assert "over" in bench.last_text()


def daemon(then: str = "") -> str:
    """Return a script that leaves a daemon and a child of it, and prints their ids."""
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    child = os.fork()\n"
        "    if child: print(os.getpid(), child, flush=True)\n"
        "    time.sleep(300)\n"
    )
    return f'{sys.executable} -c "{program}"\nsleep 0.3\n{then}'


def ids(bench: Bench, order: Order) -> list[int]:
    return [int(word) for word in bench.text(order)[0].split()]


@LINUX
def test_daemons_are_found_and_killed(bench: Bench) -> None:
    order = bench.start(daemon())
    assert bench.end(order).outcome is Outcome.SUCCESS
    found = ids(bench, order)
    assert len(found) == 2
    assert not any(alive(process) for process in found)


@LINUX
def test_daemons_are_killed_when_a_step_runs_too_long(bench: Bench) -> None:
    order = bench.start(daemon("sleep 300"), timeout=1.0)
    assert bench.end(order).cause is Cause.TIMEOUT
    assert not any(alive(process) for process in ids(bench, order))


@LINUX
@pytest.mark.parametrize("writer", ["sleep", "yes"])
def test_a_stranger_who_holds_the_pipe_does_not_keep_a_step_from_ending(
    bench: Bench, tmp_path: Path, writer: str
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    order = bench.start_and_see(f"echo $$; echo ready; cat {gate}")
    pipe = Path(f"/proc/{bench.text(order)[0]}/fd/1")
    with pipe.open("wb") as held, subprocess.Popen([writer, "300"], stdout=held) as stranger:
        gate.write_text("")
        assert bench.end(order).outcome is Outcome.SUCCESS
        stranger.kill()


def test_a_log_that_cannot_be_written_any_more_ends_the_step(bench: Bench) -> None:
    bench.use(interpreter=wrapped("ulimit -f 64"))
    result = bench.run("seq 100000; sleep 300")
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.STORAGE)
    assert "the log cannot be written" in result.message
    assert result.started


def test_a_log_that_cannot_be_opened_keeps_the_step_from_starting(bench: Bench) -> None:
    order = bench.order("echo ran > ran")
    bench.logs.spool(order.attempt).mkdir()
    bench.executor.start(order)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.STORAGE)
    assert not result.started


def test_descriptors_of_the_agent_do_not_reach_the_step(bench: Bench) -> None:
    program = "import os; print(*[fd for fd in range(3, 64) if is_open(fd)])"
    check = (
        "import os\n"
        "def is_open(fd):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: return False\n"
        "    return True\n"
    )
    bench.run(command=(sys.executable, "-c", check + program))
    assert bench.last_text() == [""]


def test_the_steps_files_are_made_as_the_server_would(bench: Bench, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        bench.run("umask")
    finally:
        os.umask(before)
    assert bench.last_text() == ["0027"]
