from __future__ import annotations

import json
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from runner.agent.loglines import CONTINUES, LONGEST_LINE
from runner.agent.pod.report import ROOM
from tests.runner.agent.launching import eventually
from tests.runner.agent.pod.pods import GO, HOME, STOP, Pod
from tests.support.presigned import PresignedStore


def test_a_step_gets_its_input_and_what_it_leaves_is_the_next_ones(pod: Pod) -> None:
    first = pod.snapshot({"src/a": "a\n", "src/b": "b\n"})
    record = pod.run("cat src/a; rm src/b; echo c > c", input=first)
    assert (record["outcome"], record["cause"], record["exit_code"]) == ("success", "", 0)
    assert pod.text() == ["a"]
    assert pod.files(record["snapshot"]) == {"src/a": "a\n", "c": "c\n"}
    assert pod.snapshots.load(record["snapshot"]).parents == (first,)
    assert pod.said() == []
    assert pod.step is not None
    assert pod.step.wait() == 0


def test_the_end_is_told_in_full_wherever_it_fits(pod: Pod) -> None:
    record = pod.run("echo x > report", artifacts=["report"])
    started_at = record["started_at"]
    assert record == pod.result()
    assert json.loads(pod.until(">", "started").removeprefix("started ")) == {"at": started_at}
    assert started_at < record["ended_at"]
    assert record["started"] is True
    assert [one["path"] for one in record["artifacts"]] == ["report"]
    assert record["log"] == len(pod.log()) == 0
    assert "whole" not in record
    assert "unconfirmed" not in record


def test_a_failure_is_told_and_what_it_left_is_kept(pod: Pod) -> None:
    record = pod.run("echo x > x; exit 3")
    assert (record["outcome"], record["cause"]) == ("failure", "exit code")
    assert (record["exit_code"], record["message"]) == (3, "exit code 3")
    assert pod.files(record["snapshot"]) == {"x": "x\n"}


def test_a_step_that_changes_nothing_leaves_its_input_and_sends_nothing(pod: Pod) -> None:
    first = pod.snapshot({"a": "a"})
    record = pod.run("cat a", input=first)
    assert record["snapshot"] == first
    assert pod.store.keys() == [f"{HOME}/result", f"{HOME}/log"]


def test_only_what_is_needed_is_fetched(pod: Pod) -> None:
    first = pod.snapshot({"a": "a"})
    pod.run(input=first)
    assert pod.store.keys("GET") == [f"{HOME}/order", *pod.snapshots.keys(first)]


def test_a_step_is_told_its_places(pod: Pod) -> None:
    pod.run('pwd; echo "$CI_WORKSPACE"; echo "$CI_OUTPUT"; echo "$HOME"; ls -d "$HOME"')
    home = str(pod.root / "scratch" / "home")
    workspace = str(pod.workspace)
    output = str(pod.root / "scratch" / "output")
    assert pod.text() == [workspace, workspace, output, home, home]


def test_a_home_that_the_order_names_is_left_alone(pod: Pod) -> None:
    pod.run('echo "$HOME $X"', environment={"HOME": "/elsewhere", "X": "two\nlines ü"})
    assert pod.text() == ["/elsewhere two", "lines ü"]


def test_the_containers_own_variables_are_there_but_those_of_the_cluster(pod: Pod) -> None:
    pod.order('echo "$OWN $BOTH [$KUBERNETES_PORT]"', environment={"BOTH": "the order's"})
    pod.annotate(GO)
    pod.agent()
    pod.container({"PATH": "/bin", "OWN": "own", "BOTH": "image's", "KUBERNETES_PORT": "1"})
    pod.end()
    assert pod.text() == ["own the order's []"]


def test_small_outputs_ride_on_the_line(pod: Pod) -> None:
    script = 'echo a=1 >> "$CI_OUTPUT"; echo b=2 >> "$CI_OUTPUT"'
    record = pod.run(script, outputs=["a"])
    assert record["outputs"] == {"a": "1"}
    assert record["warnings"] == ["wrote the output `b`, not declared in `outputs:`"]


LARGE = 'echo a=$(printf %05000d 7) >> "$CI_OUTPUT"'


def test_outputs_that_are_too_large_for_the_line_are_in_the_result(pod: Pod) -> None:
    record = pod.run(LARGE, outputs=["a"])
    assert record["whole"] is False
    assert "outputs" not in record
    assert pod.result()["outputs"] == {"a": "7".rjust(5000, "0")}
    assert record["outcome"] == pod.result()["outcome"] == "success"


def test_a_line_that_says_less_comes_after_what_says_it_all(pod: Pod) -> None:
    pod.start(f"echo ready; until [ -e go ]; do sleep 0.01; done; rm go; {LARGE}", outputs=["a"])
    pod.printed("ready")
    pod.store.faults.append("mute")
    (pod.workspace / "go").touch()
    eventually(lambda: not pod.store.faults, "the result is sent")
    time.sleep(0.1)
    assert not any(line.text.startswith("ended") for line in pod.told)
    pod.store.release()
    assert pod.end()["whole"] is False


def test_a_line_that_says_it_all_comes_before_anything_is_sent(pod: Pod) -> None:
    pod.start("echo ready; until [ -e go ]; do sleep 0.01; done; rm go")
    pod.printed("ready")
    pod.store.faults.append("mute")
    (pod.workspace / "go").touch()
    pod.until(">", "ended {")
    assert pod.store.keys() == []
    pod.store.release()
    assert pod.end()["snapshot"] == pod.input


def test_an_output_that_is_missing_fails_the_step(pod: Pod) -> None:
    record = pod.run("true", outputs=["passed"])
    assert (record["outcome"], record["cause"]) == ("failure", "output")


def test_outputs_that_cannot_be_stored_are_no_success(pod: Pod) -> None:
    script = 'echo a=$(head -c 9000 /dev/zero | tr "\\0" x) >> "$CI_OUTPUT"'
    record = pod.run(script, outputs=["a"], largest=5000)
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert "the outputs and artifacts cannot be stored" in record["message"]
    assert "larger than this attempt may write" in record["message"]
    assert record["outputs"] == {}
    assert "whole" not in record


def test_a_failure_is_not_hidden_by_outputs_that_cannot_be_stored(pod: Pod) -> None:
    script = 'echo a=$(head -c 9000 /dev/zero | tr "\\0" x) >> "$CI_OUTPUT"; exit 4'
    record = pod.run(script, outputs=["a"], largest=5000)
    assert (record["outcome"], record["exit_code"], record["outputs"]) == ("failure", 4, {})
    assert "the outputs and artifacts cannot be stored" in record["warnings"][0]


def test_warnings_that_cannot_be_stored_are_not_worth_a_failure(pod: Pod) -> None:
    script = "for i in $(seq 30); do mkfifo $(printf %0200d $i); done"
    record = pod.run(script, largest=3000)
    assert record["outcome"] == "success"
    assert record["snapshot"] == pod.input
    assert "warnings" not in record


def test_what_is_printed_is_shown_at_once(pod: Pod) -> None:
    pod.start("echo one; until [ -e go ]; do sleep 0.01; done; printf two; echo three >&2")
    pod.printed("one")
    (pod.workspace / "go").touch()
    record = pod.end()
    assert pod.text() == ["one", "twothree"]
    assert record["log"] == len(pod.log())


def test_odd_bytes_and_long_lines_are_stored_as_they_are_shown(pod: Pod) -> None:
    long = LONGEST_LINE + 10
    pod.run(rf"printf 'caf\303\251 \377\n\r\033[1m\n'; head -c {long} /dev/zero | tr '\0' x")
    assert pod.text() == [
        "café \ufffd",
        "\r\033[1m",
        "x" * LONGEST_LINE + CONTINUES,
        "x" * 10,
    ]


def test_a_large_log_is_whole(pod: Pod) -> None:
    record = pod.run("seq 1 300000")
    assert pod.text() == [str(number) for number in range(1, 300001)]
    assert record["log"] == len(pod.log())


def test_a_log_is_cut_at_its_limit(pod: Pod) -> None:
    record = pod.run("seq 1 1000", log_limit=1000)
    assert "the rest is not kept" in pod.text()[-1]
    assert len(pod.log()) < 1100
    assert record["outcome"] == "success"
    assert any("the log was cut" in warning for warning in record["warnings"])


def test_what_was_left_running_is_gone_and_its_last_words_are_kept(pod: Pod) -> None:
    script = "(trap '' TERM; echo back; exec sleep 300) & until false; do sleep 0.1; break; done"
    pod.run(f"{script}; setsid sleep 301 & echo front")
    assert sorted(pod.text()) == ["back", "front"]
    assert pod.step is not None
    assert pod.step.wait() == 0


def test_a_step_is_ended_by_its_timeout(pod: Pod) -> None:
    record = pod.run("echo x > x; sleep 300", timeout=0.3)
    assert (record["outcome"], record["cause"]) == ("failure", "timeout")
    assert record["message"] == "ran longer than 0.3s"
    assert pod.files(record["snapshot"]) == {"x": "x\n"}


def test_a_step_that_ignores_sigterm_is_killed(pod: Pod) -> None:
    record = pod.run(
        "trap '' TERM; echo x > x; while :; do sleep 0.1; done", timeout=0.3, grace=0.3
    )
    assert (record["outcome"], record["cause"]) == ("failure", "timeout")
    assert pod.files(record["snapshot"]) == {"x": "x\n"}


def test_a_step_that_is_killed_itself(pod: Pod) -> None:
    record = pod.run("echo x > x; kill -KILL $$")
    assert (record["outcome"], record["cause"], record["exit_code"]) == ("failure", "signal", None)
    assert record["message"].startswith("ended by SIGKILL")
    assert "unconfirmed" not in record
    assert pod.files(record["snapshot"]) == {"x": "x\n"}


def test_a_launcher_that_is_killed_leaves_an_end_to_be_confirmed(pod: Pod) -> None:
    pod.start("echo x > x; echo ready; exec sleep 300")
    pod.printed("ready")
    assert pod.step is not None
    pod.step.send_signal(signal.SIGKILL)
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("failure", "signal")
    assert record["message"] == "the step's container was killed"
    assert record["unconfirmed"] is True
    assert record["started"] is True
    assert pod.files(record["snapshot"]) == {"x": "x\n"}


def test_a_container_that_ends_before_its_order_has_not_started(pod: Pod) -> None:
    pod.order()
    pod.agent()
    pod.container()
    assert pod.step is not None
    time.sleep(0.3)
    pod.step.send_signal(signal.SIGTERM)
    pod.step.wait()
    pod.annotate(GO)
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "lost")
    assert record["unconfirmed"] is True
    assert record["started"] is False


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["no-such-program"], "cannot start `no-such-program`: there is no such program"),
        (["/etc/passwd"], "cannot start `/etc/passwd`: it may not be run"),
        (["sh", "\0"], "cannot start `sh`: there is a NUL in an argument or variable"),
        (["sh", "\ud800"], "cannot start `sh`: a text in it is no UTF-8"),
        (["sh", "x" * 5_000_000], "cannot start `sh`: arguments and variables are larger than 4"),
        (["sh", "x" * 1_000_000], "cannot start `sh`: Argument list too long; one variable"),
        ([], "the step has no command"),
    ],
    ids=["missing", "not executable", "NUL", "not UTF-8", "too large", "too long", "empty"],
)
def test_a_command_that_cannot_be_started(pod: Pod, command: list[str], message: str) -> None:
    record = pod.run(command=command)
    assert (record["outcome"], record["cause"]) == ("failure", "command")
    assert message in record["message"]
    assert record["started"] is False
    assert record["started_at"] is None
    assert record["snapshot"] == pod.input


def test_an_agent_waits_until_it_may_begin(pod: Pod) -> None:
    pod.agent()
    pod.container()
    time.sleep(0.2)
    pod.annotate('hookline.dev/other="1"')
    time.sleep(0.1)
    assert pod.store.asked == []
    assert pod.told == []
    pod.order("echo ran")
    pod.annotate('hookline.dev/other="1"', GO)
    assert pod.end()["outcome"] == "success"
    assert pod.text() == ["ran"]


def test_an_agent_restores_while_the_container_is_not_there(pod: Pod) -> None:
    pod.order("cat a", input=pod.snapshot({"a": "a\n"}))
    pod.annotate(GO)
    pod.agent()
    eventually((pod.workspace / "a").exists, "the workspace is restored")
    pod.container()
    assert pod.end()["outcome"] == "success"


def cancelled_before_it_ran(pod: Pod) -> None:
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("cancelled", "cancelled")
    assert record["message"] == "stopped before it started"
    assert record["started"] is False
    assert not any(line.text.startswith("started") for line in pod.told)


def test_stopped_before_it_may_begin_nothing_runs(pod: Pod) -> None:
    pod.agent()
    pod.container()
    time.sleep(0.1)
    pod.annotate(STOP)
    cancelled_before_it_ran(pod)
    assert pod.store.asked == []


def test_a_wish_to_stop_outranks_one_to_begin(pod: Pod) -> None:
    pod.order()
    pod.annotate(GO, STOP)
    pod.agent()
    pod.container()
    cancelled_before_it_ran(pod)


def test_deleted_before_it_may_begin_nothing_runs(pod: Pod) -> None:
    pod.agent()
    pod.container()
    time.sleep(0.3)
    pod.stop()
    cancelled_before_it_ran(pod)


def test_stopped_while_it_waits_for_its_container(pod: Pod) -> None:
    pod.order("cat a", input=pod.snapshot({"a": "a\n"}))
    pod.annotate(GO)
    pod.agent()
    eventually((pod.workspace / "a").exists, "the workspace is restored")
    pod.annotate(GO, STOP)
    cancelled_before_it_ran(pod)
    assert pod.result()["outcome"] == "cancelled"


def test_stopped_while_the_store_is_away_it_ends_soon(pod: Pod, store: PresignedStore) -> None:
    pod.order()
    store.refusing.set()
    pod.annotate(GO)
    pod.agent()
    pod.until("!", "the object store is away (503 SlowDown): waiting for it")
    pod.annotate(GO, STOP)
    cancelled_before_it_ran(pod)


@pytest.mark.parametrize("way", ["annotation", "signal"])
def test_a_step_that_runs_is_stopped(pod: Pod, way: str) -> None:
    pod.start("trap 'echo tidy > tidy; exit 7' TERM; echo ready; while :; do sleep 0.05; done")
    pod.printed("ready")
    if way == "annotation":
        pod.annotate(GO, STOP)
    else:
        pod.stop()
    record = pod.end()
    assert (record["outcome"], record["cause"], record["exit_code"]) == (
        "cancelled",
        "cancelled",
        7,
    )
    assert record["started"] is True
    assert pod.files(record["snapshot"]) == {"tidy": "tidy\n"}


def test_a_step_that_is_stopped_and_does_not_care_is_killed(pod: Pod) -> None:
    pod.start("trap '' TERM; echo ready; while :; do sleep 0.1; done", grace=0.3)
    pod.printed("ready")
    pod.annotate(GO, STOP)
    record = pod.end()
    assert (record["outcome"], record["exit_code"]) == ("cancelled", None)


def test_a_pod_that_is_deleted_is_cancelled_whoever_hears_of_it_first(pod: Pod) -> None:
    pod.start("echo ready; exec sleep 300")
    pod.printed("ready")
    assert pod.step is not None
    pod.step.send_signal(signal.SIGTERM)
    pod.stop()
    assert pod.end()["outcome"] == "cancelled"


def test_a_step_that_ends_itself_by_sigterm_is_not_cancelled(pod: Pod) -> None:
    record = pod.run("kill -TERM $$")
    assert (record["outcome"], record["message"]) == ("failure", "ended by SIGTERM")


def test_a_killed_launcher_of_a_stopped_step_is_a_cancelled_one(pod: Pod) -> None:
    pod.start("trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done")
    pod.printed("ready")
    pod.stop()
    pod.printed("asked")
    assert pod.step is not None
    pod.step.send_signal(signal.SIGKILL)
    record = pod.end()
    assert record["outcome"] == "cancelled"
    assert "unconfirmed" not in record


def test_the_store_goes_away_and_comes_back_and_the_agent_goes_on(
    pod: Pod, store: PresignedStore
) -> None:
    pod.start("echo x > x; echo ready; until [ -e go ]; do sleep 0.01; done")
    pod.printed("ready")
    store.away.set()
    store.server.hang_up()
    (pod.workspace / "go").touch()
    pod.until("!", "the object store is away")
    store.away.clear()
    record = pod.end()
    assert record["outcome"] == "success"
    assert set(pod.files(record["snapshot"])) == {"x", "go"}
    away, back = pod.said()
    assert away.endswith(": waiting for it")
    assert back.startswith("the object store is back after ")


def test_small_troubles_of_the_store_are_nobodys_business(pod: Pod) -> None:
    pod.order("echo x > x")
    pod.store.faults += [503, "close", "cut", 500]
    pod.annotate(GO)
    pod.agent()
    pod.container()
    assert pod.end()["outcome"] == "success"


def test_an_order_that_is_missing(pod: Pod) -> None:
    pod.annotate(GO)
    pod.agent()
    pod.container()
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert record["message"] == "no object at the order"
    assert record["started"] is False


def test_an_address_of_the_order_that_is_not_good_any_more(pod: Pod) -> None:
    pod.order()
    pod.annotate(GO)
    address = pod.store.address(f"{HOME}/order").partition("?")[0]
    pod.agent({"HOOKLINE_ORDER": f"{address}?X-Amz-Signature=old"})
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert (
        "cannot read the order in the object store: it refuses; the address is"
        in (record["message"])
    )
    assert "old)" not in pod.raw.decode()


def test_an_agent_that_is_not_told_where_its_order_lies(pod: Pod) -> None:
    pod.annotate(GO)
    pod.agent({"HOOKLINE_ORDER": ""})
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "executor")
    assert "HOOKLINE_ORDER is empty" in record["message"]


def test_an_order_that_makes_no_sense(pod: Pod) -> None:
    pod.write_order(b"{")
    pod.annotate(GO)
    pod.agent()
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "executor")


def test_an_input_that_is_gone(pod: Pod) -> None:
    first = pod.snapshot({"a": "a"})
    pod.order(input=first)
    pod.store.objects.delete(pod.snapshots.keys(first))
    pod.annotate(GO)
    pod.agent()
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "workspace")
    assert "the workspace cannot be restored" in record["message"]
    assert record["started"] is False
    assert pod.result() == record


def test_a_pack_without_an_address(pod: Pod) -> None:
    first = pod.snapshot({"a": "a"})
    pod.start(input=first, keys=pod.snapshots.keys(first)[:1])
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert "a Pod may not read packs/" in record["message"]


def test_what_a_snapshot_cannot_hold_is_named(pod: Pod) -> None:
    record = pod.run("mkfifo pipe; ln -s /etc/passwd out; echo x > x; ln -s x in; mkdir empty")
    assert record["outcome"] == "success"
    assert len(record["warnings"]) == 2
    pod.files(record["snapshot"])
    entries = pod.snapshots.load(record["snapshot"]).entries
    assert set(entries) == {"x", "in", "empty"}


def test_a_workspace_that_cannot_be_captured(pod: Pod) -> None:
    record = pod.run('rm -rf "$CI_WORKSPACE"; echo > "$CI_WORKSPACE"')
    assert (record["outcome"], record["cause"]) == ("error", "workspace")
    assert "the workspace cannot be captured" in record["message"]
    assert record["snapshot"] is None


def test_a_step_that_fails_and_takes_its_workspace_with_it(pod: Pod) -> None:
    record = pod.run('rm -rf "$CI_WORKSPACE"; exit 3')
    assert (record["outcome"], record["exit_code"]) == ("failure", 3)
    assert any("cannot be captured" in warning for warning in record["warnings"])


def test_a_workspace_too_large_for_the_store(pod: Pod) -> None:
    record = pod.run("head -c 100000 /dev/urandom > x", largest=50_000)
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert "the object is larger than this attempt may write" in record["message"]


def test_a_failure_is_not_hidden_by_a_workspace_that_cannot_be_captured(pod: Pod) -> None:
    record = pod.run("head -c 100000 /dev/urandom > x; exit 4", largest=50_000)
    assert (record["outcome"], record["exit_code"]) == ("failure", 4)
    assert any("cannot be captured" in warning for warning in record["warnings"])


def test_many_warnings_do_not_fit_into_the_line(pod: Pod) -> None:
    record = pod.run("for i in $(seq 30); do mkfifo $(printf %0200d $i); done")
    assert "warnings" not in record
    assert record["whole"] is False
    assert len(pod.result()["warnings"]) == 21
    assert len(pod.termination.read_bytes()) <= ROOM


def test_secrets_are_masked(pod: Pod) -> None:
    pod.order('echo "it is $TOKEN"; echo a=$TOKEN >> "$CI_OUTPUT"; mkfifo "$TOKEN"', outputs=["a"])
    pod.annotate(GO)
    pod.agent({"HOOKLINE_MASK_TOKEN": "s3cret-value"})
    pod.container({"PATH": os.environ["PATH"], "TOKEN": "s3cret-value"})
    record = pod.end()
    assert pod.text() == ["it is ***"]
    assert b"s3cret" not in pod.raw
    assert record["outputs"] == {}
    assert (record["outcome"], record["cause"]) == ("failure", "output")
    assert "s3cret" not in json.dumps(pod.result())


def test_a_disk_that_is_too_small_for_the_workspace(pod: Pod, small: Path) -> None:
    pod.order(input=pod.snapshot({"a": os.urandom(300_000).hex()}))
    pod.annotate(GO)
    pod.agent(workspace=small)
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert "cannot write 'a': No space left on device" in record["message"]
    assert record["started"] is False


def test_a_step_that_fills_the_disk(pod: Pod, small: Path) -> None:
    pod.order("head -c 1000000 /dev/zero > x || exit 5")
    pod.annotate(GO)
    pod.agent(workspace=small)
    pod.container()
    record = pod.end()
    assert (record["outcome"], record["exit_code"]) == ("failure", 5)
    assert "the disk of the workspace is full" in record["warnings"]


def test_a_log_that_finds_no_room(pod: Pod, small: Path) -> None:
    pod.order("seq 1 100000; sleep 300")
    pod.annotate(GO)
    pod.agent(tmp=small)
    pod.container()
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "storage")
    assert record["message"] == "the log cannot be written: No space left on device"
    assert any("the log cannot be packed" in line for line in pod.said())


def test_a_scratch_folder_that_cannot_be_written(pod: Pod) -> None:
    pod.order()
    (pod.root / "scratch" / "output").mkdir()
    pod.annotate(GO)
    pod.agent()
    pod.container()
    record = pod.end()
    assert (record["outcome"], record["cause"]) == ("error", "workspace")
    assert "the folders of the Pod cannot be written" in record["message"]
    assert record["started"] is False


def test_a_termination_message_that_cannot_be_written_is_not_the_end(pod: Pod) -> None:
    pod.order()
    pod.annotate(GO)
    pod.agent(termination=pod.root)
    pod.container()
    pod.until(">", 'ended {"outcome": "success"')
    pod.until("!", "the termination message cannot be written")
    assert pod.process is not None
    assert pod.process.wait() == 0
    assert pod.result()["outcome"] == "success"


def test_an_agent_that_breaks_says_so(pod: Pod) -> None:
    pod.agent(launcher=pod.root / "missing")
    told = pod.until(">", "ended {")
    assert pod.process is not None
    assert pod.process.wait() == 1
    record = json.loads(told.removeprefix("ended "))
    assert json.loads(pod.termination.read_text()) == record
    assert (record["outcome"], record["cause"]) == ("error", "executor")
    assert record["message"].startswith("the agent broke: FileNotFoundError")
    assert any("Traceback" in line for line in pod.said())
    assert all(line.kind in "!>" for line in pod.told)


def test_an_option_that_is_unknown_is_refused(pod: Pod) -> None:
    pod.agent(somewhere=pod.root)
    assert pod.process is not None
    assert pod.process.wait() == 1
    assert b"no option with its value" in pod.raw


def played(pod: Pod, said: bytes, **changes: Any) -> dict[str, Any]:
    """Run a step whose launcher says just this of its end; return the end that was told."""
    pod.order(**changes)
    pod.annotate(GO)
    pod.agent()
    eventually((pod.control / "launcher").exists, "the launcher is in its place")
    go = os.open(pod.control / "go", os.O_RDONLY | os.O_NONBLOCK)
    end = os.open(pod.control / "end", os.O_WRONLY)
    os.write(end, b"H\n")
    assert select.select([go], [], [], 60)[0]
    assert os.read(go, 4096).startswith(b"run ")
    os.write(end, said)
    os.close(end)
    record = pod.end()
    os.close(go)
    return record


@pytest.mark.parametrize("status", [9, 137 << 8, 1 << 8])
def test_a_step_that_ran_out_of_memory_is_told_so_whoever_passed_it_on(
    pod: Pod, status: int
) -> None:
    record = played(pod, b"S\nE %d 2\n" % status, memory=2**29)
    assert (record["outcome"], record["cause"]) == ("failure", "out of memory")
    assert record["message"] == "out of memory (the limit is 512 MiB)"


def test_a_step_that_went_on_without_those_who_took_the_memory(pod: Pod) -> None:
    record = played(pod, b"S\nE 0 2\n")
    assert record["outcome"] == "success"
    assert record["warnings"] == ["the memory ran out, 2 processes were killed for it"]


def test_a_step_that_meddles_with_the_end_is_over(pod: Pod) -> None:
    pod.start(f"echo x > x; printf 'nonsense\\n\\377\\nE 1792 0\\n' > {pod.control}/end; sleep 300")
    record = pod.end()
    assert (record["outcome"], record["exit_code"]) == ("failure", 7)
    assert pod.files(record["snapshot"]) == {"x": "x\n"}
    assert pod.step is not None
    assert pod.step.wait(60) == 125
