"""Chains of steps, and many steps side by side, against bare Pods."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from benchmarks.cluster.bare_pods import BarePods
from benchmarks.cluster.stages import STAMPED, open_stage, stamps
from benchmarks.figures import Figure
from tests.cluster.stage import Stage
from tests.support.cluster import Testbed

LENGTH = 10
WIDE = 20
AHEAD = 10
T = TypeVar("T")


@dataclass(frozen=True)
class Chain:
    """A chain that was run: how long it took, and the pauses between its steps, in seconds."""

    seconds: float
    pauses: tuple[float, ...]
    requests: float


def chains(testbed: Testbed) -> Iterator[Figure]:
    """Yield how long chains take, what they ask of the API server, and many steps side by side."""
    bare = BarePods(testbed)
    idle = testbed.idle_requests()
    quick, requests = _counted(testbed, idle, lambda: bare.chain(LENGTH, "true"))
    slow = bare.chain(LENGTH, "sleep 2")
    wide = bare.side_by_side(WIDE, "true") + bare.chain(1, "true")
    against = f"{LENGTH} bare Pods"
    for ahead in (0, AHEAD):
        how = f", {ahead} ahead" if ahead else ""
        with open_stage(testbed, ahead) as stage:
            _chain(testbed, stage, idle, "true")  # what is only slow the first time
            mine = testbed.requests_of("hookline")
            chain = _chain(testbed, stage, idle, STAMPED)
            mine = testbed.requests_of("hookline") - mine
            more = [_chain(testbed, stage, idle, STAMPED) for _ in range(3)]
            sleeping = _chain(testbed, stage, idle, f"{STAMPED}; sleep 2; {STAMPED}")
            joined = _join(stage)
        pauses = sorted(pause for one in (chain, *more, sleeping) for pause in one.pauses)
        seconds = statistics.median(one.seconds for one in (chain, *more))
        yield Figure(f"chain of {LENGTH}{how}", "s", seconds, quick, against)
        yield Figure(f"chain of {LENGTH}, 2 s each{how}", "s", sleeping.seconds, slow, against)
        over, bare_over = sleeping.seconds - 2 * LENGTH, slow - 2 * LENGTH
        yield Figure(f"  what is not the steps' own{how}", "s", over, bare_over, against)
        p99 = pauses[min(len(pauses) - 1, round(0.99 * len(pauses)))]
        p50 = statistics.median(pauses)
        yield Figure(f"step ended, next begins, p50{how}", "s", p50, quick / LENGTH, "a bare Pod")
        yield Figure(f"step ended, next begins, p99{how}", "s", p99, quick / LENGTH, "a bare Pod")
        per_step = statistics.median(one.requests for one in (chain, *more)) / LENGTH
        yield Figure(f"API requests a step{how}", "", per_step, requests / LENGTH, "a bare Pod")
        yield Figure(f"  the controller's own{how}", "", mine / LENGTH, per_step, "all")
        yield Figure(f"{WIDE} side by side, and a join{how}", "s", joined, wide, "bare Pods")


def _counted(testbed: Testbed, idle: float, act: Callable[[], T]) -> tuple[T, float]:
    """Return what an act returns, and the requests to the API server beyond the idle ones."""
    began, before = time.monotonic(), testbed.requests()
    result = act()
    time.sleep(5)  # what is told of the end of the last Pod counts as well
    return result, testbed.requests() - before - idle * (time.monotonic() - began)


def _chain(testbed: Testbed, stage: Stage, idle: float, script: str) -> Chain:
    steps = [
        f"  s{n}: {{run: '{script}'{f', needs: s{n - 1}' if n else ''}}}" for n in range(LENGTH)
    ]
    run, requests = _counted(
        testbed, idle, lambda: stage.ended(stage.push("steps:\n" + "\n".join(steps) + "\n"))
    )
    assert run["status"] == "success", run
    told = [stamps(stage, run, f"s{number}") for number in range(LENGTH)]
    pauses = [later[0] - earlier[-1] for earlier, later in pairwise(told) if earlier and later]
    return Chain(_seconds(run), tuple(pauses), requests)


def _seconds(run: dict[str, Any]) -> float:
    return float(run["ended_at"]) - float(run["started_at"])


def _join(stage: Stage) -> float:
    steps = [f"  s{n}: {{run: 'true'}}" for n in range(WIDE)]
    needs = ", ".join(f"s{n}" for n in range(WIDE))
    text = "steps:\n" + "\n".join([*steps, f"  join: {{needs: [{needs}], run: 'true'}}"]) + "\n"
    run = stage.ended(stage.push(text))
    assert run["status"] == "success", run
    return _seconds(run)
