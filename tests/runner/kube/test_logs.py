"""A log followed over a real socket, whatever becomes of the stream."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.clock import ManualClock
from runner.kube.agentlog import Ended, Note, Started
from runner.kube.errors import Unreachable
from runner.kube.logs import Gate, LogFollower
from runner.kube.spool import MISSING, is_whole
from tests.support import kube_faults
from tests.support.fake_kube import FakeKube
from tests.support.kube_faults import Broken, Crumbs, Ends, Fault, HangUp, Silent

LINES = [b"1750000000.%06d line %d\n" % (number, number) for number in range(40)]
WHOLE = b"".join(LINES)


def told(numbers: range) -> bytes:
    """Return lines as the agent writes them."""
    offsets = [sum(map(len, LINES[:number])) for number in range(len(LINES))]
    return b"".join(b"= %d %b" % (offsets[number], LINES[number]) for number in numbers)


def end(size: int = len(WHOLE)) -> bytes:
    return b"> ended " + json.dumps({"outcome": "success", "log": size}).encode() + b"\n"


class Bench:
    """A Pod that runs, and a follower of its log."""

    def __init__(self, kube: FakeKube, folder: Path) -> None:
        self.kube = kube
        self.path = folder / "step.log"
        self.heard: list[Started | Ended | Note] = []
        self.runs = True
        self.closing: list[LogFollower] = []
        client = kube.client()
        client.create_pod({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "agent"}]}})
        self.client = client

    def follower(self, **options: Any) -> LogFollower:
        found = LogFollower(
            self.client,
            "p",
            self.path,
            self.heard.append,
            running=lambda: self.runs,
            jitter=lambda: 0.05,
            **options,
        )
        self.closing.append(found)
        return found

    def follow(self, **options: Any) -> LogFollower:
        found = self.follower(**options)
        found.start()
        return found

    def has(self, data: bytes) -> Callable[[], bool]:
        return lambda: self.path.exists() and self.path.read_bytes() == data

    def opened(self, times: int) -> Callable[[], bool]:
        return lambda: len(self.kube.acts("get pods/log")) >= times


@pytest.fixture(name="bench")
def a_pod_that_runs(tmp_path: Path) -> Iterator[Bench]:
    with FakeKube() as kube:
        bench = Bench(kube, tmp_path)
        kube.run("p")
        yield bench
        for follower in bench.closing:
            follower.close()
        for follower in bench.closing:
            if follower._thread.ident is not None:
                assert follower.join(10)


def test_lines_start_and_end_are_heard_as_they_come(bench: Bench) -> None:
    follower = bench.follow()
    bench.kube.feed("p", b"Traceback: of a library\n! restoring\n> started " + b'{"at": 12.5}\n')
    bench.kube.feed("p", told(range(20)))
    bench.kube.wait_for(bench.has(b"".join(LINES[:20])))
    assert not follower.deaf
    bench.kube.feed("p", told(range(20, 40)) + end())
    assert follower.over.wait(10)
    assert bench.heard == [
        Note("restoring"),
        Started(12.5),
        Ended({"outcome": "success", "log": len(WHOLE)}),
    ]
    assert is_whole(bench.path, len(WHOLE))
    assert not follower.gaps


def test_what_comes_after_the_end_is_not_heard(bench: Bench) -> None:
    bench.kube.feed("p", end(0) + b"! more\n" + told(range(1)))
    follower = bench.follow()
    assert follower.over.wait(10)
    assert [type(record) for record in bench.heard] == [Ended]
    assert is_whole(bench.path, 0)


def test_the_file_is_complete_when_the_end_is_told(bench: Bench) -> None:
    whole: list[bool] = []
    follower = LogFollower(
        bench.client,
        "p",
        bench.path,
        lambda record: whole.append(is_whole(bench.path, len(WHOLE))),
        running=lambda: True,
    )
    bench.kube.feed("p", told(range(40)) + end())
    follower.start()
    assert follower.over.wait(10)
    assert whole == [True]


@pytest.mark.parametrize(
    "fault",
    [
        Broken(1),
        Broken(3),
        Ends(0),
        Ends(2),
        Crumbs(1),
        Crumbs(1000),
        HangUp(),
        kube_faults.broken(502),
        kube_faults.throttled(None),
    ],
)
def test_a_stream_that_fails_is_opened_again(bench: Bench, fault: Fault) -> None:
    bench.kube.fault(fault, times=2, on="get pods/log")
    follower = bench.follow()
    for number in range(40):
        bench.kube.feed("p", told(range(number, number + 1)))
    bench.kube.feed("p", end())
    assert follower.over.wait(20)
    assert bench.path.read_bytes() == WHOLE
    assert [type(record) for record in bench.heard] == [Ended]
    assert not follower.gaps


def test_connections_that_are_cut_lose_and_double_nothing(bench: Bench) -> None:
    follower = bench.follow()
    for number in range(40):
        bench.kube.feed("p", told(range(number, number + 1)))
        if number % 8 == 3:
            bench.kube.wait_for(bench.has(b"".join(LINES[: number + 1])))
            bench.kube.hang_up()
    bench.kube.feed("p", end())
    assert follower.over.wait(20)
    assert is_whole(bench.path, len(WHOLE))
    assert bench.opened(5)()


def test_it_is_opened_again_a_little_before_what_was_heard(bench: Bench) -> None:
    clock = ManualClock()
    bench.kube.fault(Broken(1), on="get pods/log")
    bench.kube.feed("p", told(range(2)))
    follower = bench.follow(clock=clock)
    bench.kube.wait_for(bench.opened(2))
    bench.kube.feed("p", told(range(2, 40)) + end())
    assert follower.over.wait(10)
    first, second = (request.query for request in bench.kube.acts("get pods/log")[:2])
    assert "sinceSeconds" not in first
    assert second["sinceSeconds"] == "5"


def test_a_gap_is_filled_from_the_beginning(bench: Bench) -> None:
    log = bench.kube.logs["p", "agent"]
    bench.kube.fault(Broken(1), on="get pods/log")
    bench.kube.fault(kube_faults.broken(), on="get pods/log")
    bench.kube.feed("p", told(range(5)))
    follower = bench.follow()
    bench.kube.wait_for(bench.has(b"".join(LINES[:5])))
    with bench.kube.changed:
        # An hour ago, as far as the node's clock is concerned.
        log.pieces = [(when - 3600, data) for when, data in log.pieces]
        log.pieces.append((log.pieces[0][0], told(range(5, 20))))
    bench.kube.feed("p", told(range(20, 40)) + end())
    assert follower.over.wait(10)
    assert is_whole(bench.path, len(WHOLE))
    assert not follower.gaps


def test_lines_that_the_node_threw_away_are_marked(bench: Bench) -> None:
    bench.kube.feed("p", told(range(5)))
    bench.kube.feed("p", told(range(5, 20)))
    bench.kube.fault(Broken(1), on="get pods/log")
    bench.kube.fault(kube_faults.broken(), on="get pods/log")
    follower = bench.follow()
    bench.kube.wait_for(bench.has(b"".join(LINES[:5])))
    bench.kube.rotate_log("p")
    bench.kube.feed("p", told(range(20, 40)) + end())
    assert follower.over.wait(10)
    assert follower.gaps
    assert not is_whole(bench.path, len(WHOLE))
    kept = bench.path.read_bytes()
    assert len(kept) == len(WHOLE)
    assert kept.startswith(b"".join(LINES[:5]) + LINES[20].partition(b" ")[0] + b" " + MISSING)
    assert kept.endswith(b"".join(LINES[20:]))
    assert [type(record) for record in bench.heard] == [Ended]


def test_another_process_takes_up_where_one_left(bench: Bench) -> None:
    bench.kube.feed("p", told(range(10)))
    first = bench.follow()
    bench.kube.wait_for(bench.has(b"".join(LINES[:10])))
    first.close()
    assert first.join(10)
    bench.path.write_bytes(bench.path.read_bytes()[:-7])
    bench.kube.feed("p", told(range(10, 40)) + end())
    assert bench.follow().over.wait(10)
    assert is_whole(bench.path, len(WHOLE))


def test_a_container_that_does_not_run_yet_is_waited_for(tmp_path: Path) -> None:
    with FakeKube() as kube:
        bench = Bench(kube, tmp_path)
        follower = bench.follow()
        kube.wait_for(bench.opened(3))
        assert follower.deaf
        kube.feed("p", told(range(40)) + end())
        assert follower.over.wait(10)
        assert is_whole(bench.path, len(WHOLE))


def test_a_silent_stream_is_opened_again(bench: Bench) -> None:
    class Impatient:
        def pod_log(self, name: str, container: str, **options: Any) -> Any:
            return bench.client.pod_log(name, container, **{**options, "silence": 0.1})

    bench.kube.fault(Silent(1), on="get pods/log")
    bench.kube.feed("p", told(range(5)))
    follower = LogFollower(Impatient(), "p", bench.path, bench.heard.append, running=lambda: True)
    follower.start()
    bench.kube.wait_for(bench.has(b"".join(LINES[:5])))
    bench.kube.feed("p", told(range(5, 40)) + end())
    assert follower.over.wait(10)
    assert is_whole(bench.path, len(WHOLE))


def test_an_agent_that_ends_without_a_word_is_heard_out(bench: Bench) -> None:
    bench.kube.feed("p", told(range(5)))
    bench.kube.end_log("p")
    follower = bench.follow()
    bench.kube.wait_for(bench.opened(2))
    assert not follower.over.is_set()
    bench.runs = False
    assert follower.over.wait(10)
    assert bench.path.read_bytes() == b"".join(LINES[:5])
    assert bench.heard == []


def test_without_its_pod_there_is_nothing_to_hear(bench: Bench) -> None:
    bench.kube.remove("p")
    follower = bench.follow()
    assert follower.over.wait(10)
    assert follower.deaf
    assert "not found" in follower.trouble


def test_while_the_server_is_away_it_is_deaf(bench: Bench) -> None:
    bench.kube.fault(kube_faults.broken(), times=1000, on="get pods/log")
    follower = bench.follow()
    bench.kube.wait_for(lambda: bool(follower.trouble))
    assert follower.deaf
    bench.kube.calm()
    bench.kube.feed("p", told(range(40)))
    bench.kube.wait_for(bench.has(WHOLE))
    assert (follower.deaf, follower.trouble) == (False, "")


def test_it_is_closed_at_once(bench: Bench) -> None:
    bench.kube.fault(Silent(1), on="get pods/log")
    bench.kube.feed("p", told(range(1)))
    follower = bench.follow()
    bench.kube.wait_for(bench.has(LINES[0]))
    follower.close()
    assert follower.join(10)
    assert follower.over.is_set()


def test_one_that_is_closed_while_it_opens_hears_nothing(bench: Bench) -> None:
    bench.kube.feed("p", told(range(1)))
    follower = bench.follower()

    class Closing:
        def pod_log(self, name: str, container: str, **options: Any) -> Any:
            follower.close()
            return bench.client.pod_log(name, container, **options)

    follower._source = Closing()
    follower.start()
    assert follower.join(10)
    assert bench.path.read_bytes() == b""


def test_an_error_while_it_closes_is_no_trouble(bench: Bench) -> None:
    follower = bench.follower()

    class Closing:
        def pod_log(self, name: str, container: str, **options: Any) -> Any:
            follower.close()
            message = "closed"
            raise Unreachable(message)

    follower._source = Closing()
    follower.start()
    assert follower.join(10)
    assert follower.trouble == ""


class Counting(Gate):
    refused = 0

    def enter(self, seconds: float) -> bool:
        entered = super().enter(seconds)
        self.refused += not entered
        return entered


def test_only_so_many_are_followed_at_the_same_time(bench: Bench, tmp_path: Path) -> None:
    gate = Counting(1)
    first = bench.follow(gate=gate)
    bench.kube.wait_for(bench.opened(1))
    bench.path = tmp_path / "second.log"
    second = bench.follow(gate=gate)
    bench.kube.feed("p", told(range(40)))
    bench.kube.wait_for((tmp_path / "step.log").exists)
    bench.kube.wait_for(lambda: gate.refused > 0)
    assert second.deaf
    assert not bench.opened(2)()
    first.close()
    bench.kube.feed("p", end())
    assert second.over.wait(10)
    assert is_whole(tmp_path / "second.log", len(WHOLE))


def test_a_disk_that_refuses_does_not_keep_it_from_hearing(bench: Bench) -> None:
    bench.path.mkdir()
    bench.kube.feed("p", told(range(40)) + end())
    follower = bench.follow()
    assert follower.over.wait(10)
    assert [type(record) for record in bench.heard] == [Ended]
    assert follower.gaps


def test_a_disk_that_is_full_on_the_way(bench: Bench) -> None:
    bench.path.symlink_to("/dev/full")
    bench.kube.feed("p", told(range(40)) + end())
    follower = bench.follow()
    assert follower.over.wait(10)
    assert follower.gaps
    assert "No space left" in follower.trouble


def test_a_listener_that_trips_is_told_of(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def trip(record: object) -> None:
        raise RuntimeError

    follower = LogFollower(bench.client, "p", bench.path, trip, running=lambda: True)
    bench.kube.feed("p", b"! hello\n")
    follower.start()
    assert follower.over.wait(10)
    assert "cannot be followed any more" in caplog.text
    assert follower.trouble


def test_its_thread_is_named_after_its_pod(bench: Bench) -> None:
    follower = bench.follow()
    assert "hookline-log-p" in {thread.name for thread in threading.enumerate()}
    follower.close()
