"""Steps as Pods against bare Pods, on the testbed: `python -m benchmarks.cluster` (`make bench-cluster`).

Each figure and its baseline are measured in the same run, on the same node.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.bare_pods import BarePods
from benchmarks.figures import Figure, as_json, table
from tests.cluster.stage import Stage
from tests.support.cluster import Testbed, testbed_for_this_run

LENGTH = 10
WIDE = 20
AHEAD = 10
T = TypeVar("T")
STAMPED = 'cut -d" " -f1 /proc/uptime'


@dataclass(frozen=True)
class Chain:
    """A chain that was run: how long it took, and the pauses between its steps, in seconds."""

    seconds: float
    pauses: tuple[float, ...]
    requests: float


def main() -> None:
    """Measure everything and show it."""
    with testbed_for_this_run() as testbed:
        figures = list(measure(testbed))
    print(as_json(figures) if "--json" in sys.argv[1:] else table(figures))


def measure(testbed: Testbed) -> Iterator[Figure]:
    """Yield the figures as they come."""
    bare = BarePods(testbed)
    yield from _chains(testbed, bare)
    yield from _workspaces(testbed)


def _chains(testbed: Testbed, bare: BarePods) -> Iterator[Figure]:
    idle = testbed.idle_requests()
    quick, requests = _counted(testbed, idle, lambda: bare.chain(LENGTH, "true"))
    slow = bare.chain(LENGTH, "sleep 2")
    wide = bare.side_by_side(WIDE, "true") + bare.chain(1, "true")
    against = f"{LENGTH} bare Pods"
    for ahead in (0, AHEAD):
        how = f", {ahead} ahead" if ahead else ""
        with _stage(testbed, ahead) as stage:
            _chain(testbed, stage, idle, "true")  # what is only slow the first time
            chain = _chain(testbed, stage, idle, STAMPED)
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
        yield Figure(f"{WIDE} side by side, and a join{how}", "s", joined, wide, "bare Pods")


def _counted(testbed: Testbed, idle: float, act: Callable[[], T]) -> tuple[T, float]:
    """Return what an act returns, and the requests to the API server beyond the idle ones."""
    began, before = time.monotonic(), testbed.requests()
    result = act()
    time.sleep(5)  # what is told of the end of the last Pod counts as well
    return result, testbed.requests() - before - idle * (time.monotonic() - began)


@contextmanager
def _stage(testbed: Testbed, ahead: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as name:
        stage = Stage(Path(name), testbed.settings(HOOKLINE_KUBERNETES__AHEAD=str(ahead)))
        try:
            yield stage.open()
        finally:
            stage.server.stop()


def _chain(testbed: Testbed, stage: Stage, idle: float, script: str) -> Chain:
    steps = [
        f"  s{n}: {{run: '{script}'{f', needs: s{n - 1}' if n else ''}}}" for n in range(LENGTH)
    ]
    run, requests = _counted(
        testbed, idle, lambda: stage.ended(stage.push("steps:\n" + "\n".join(steps) + "\n"))
    )
    assert run["status"] == "success", run
    stamps = [_stamps(stage, run, f"s{number}") for number in range(LENGTH)]
    pauses = [later[0] - earlier[-1] for earlier, later in pairwise(stamps) if earlier and later]
    return Chain(_seconds(run), tuple(pauses), requests)


def _stamps(stage: Stage, run: dict[str, Any], step: str) -> list[float]:
    found = re.findall(r"^(\d+\.\d+)\s*$", stage.log(run["id"], step), re.MULTILINE)
    return [float(stamp) for stamp in found]


def _seconds(run: dict[str, Any]) -> float:
    return float(run["ended_at"]) - float(run["started_at"])


def _join(stage: Stage) -> float:
    steps = [f"  s{n}: {{run: 'true'}}" for n in range(WIDE)]
    needs = ", ".join(f"s{n}" for n in range(WIDE))
    text = "steps:\n" + "\n".join([*steps, f"  join: {{needs: [{needs}], run: 'true'}}"]) + "\n"
    run = stage.ended(stage.push(text))
    assert run["status"] == "success", run
    return _seconds(run)


LARGE = """
steps:
  make:
    resources: {memory: 1Gi, disk: 8Gi}
    run: |
      set -e
      mkdir -p data; cd data
      for d in $(seq 1 200); do mkdir $d; head -c 5368709 /dev/urandom > blob
        split -a 3 -b 53688 blob $d/f; rm blob; done
      find . -type f | wc -l; du -sm .
      cut -d" " -f1 /proc/uptime
  use:
    needs: make
    resources: {memory: 1Gi, disk: 8Gi}
    run: |
      cut -d" " -f1 /proc/uptime
      for d in 1 2; do for f in data/$d/*; do echo changed >> $f; done; done
      cut -d" " -f1 /proc/uptime
  again:
    needs: use
    resources: {memory: 1Gi, disk: 8Gi}
    run: cut -d" " -f1 /proc/uptime
"""


def _workspaces(testbed: Testbed) -> Iterator[Figure]:
    """Yield how long 1 GiB in 20,000 files takes to the next step, and 1 % of it changed."""
    with _stage(testbed, 2) as stage:
        run = stage.ended(stage.push(LARGE))
        assert run["status"] == "success", run
        made, used, again = (_stamps(stage, run, name) for name in ("make", "use", "again"))
    raw = _raw_transfer(testbed)
    yield Figure(
        "1 GiB in 20,000 files to the next step", "s", used[0] - made[-1], raw, "PUT and GET"
    )
    whole = _tarred(testbed)
    yield Figure("the same, 1 % changed", "s", again[0] - used[-1], whole, "tar.gz of all")


def _raw_transfer(testbed: Testbed) -> float:
    """Return the seconds to put 64 objects of 16 MiB and get them again, eight at a time."""
    client = testbed.s3_client()
    body = Path("/dev/urandom").open("rb").read(16 << 20)  # noqa: SIM115
    keys = [f"bench/raw/{number}" for number in range(64)]

    def put(key: str) -> None:
        client.put_object(Bucket=testbed.bucket, Key=key, Body=body)

    def get(key: str) -> int:
        return len(client.get_object(Bucket=testbed.bucket, Key=key)["Body"].read())

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, keys))
        assert sum(pool.map(get, keys)) == 64 * len(body)
    seconds = time.monotonic() - began
    client.delete_objects(Bucket=testbed.bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    return seconds


def _tarred(testbed: Testbed) -> float:
    """Return the seconds to pack 1 GiB in 20,000 files with tar and gzip, put, get and unpack it."""
    client = testbed.s3_client()
    with tempfile.TemporaryDirectory() as name:
        data, out = Path(name, "data"), Path(name, "out")
        random = Path("/dev/urandom").open("rb")  # noqa: SIM115
        for folder in range(200):
            (data / str(folder)).mkdir(parents=True)
            for file in range(100):
                (data / str(folder) / str(file)).write_bytes(random.read(53_688))
        out.mkdir()
        began = time.monotonic()
        archive = str(Path(name, "all.tar.gz"))
        _check(subprocess.run(["tar", "-czf", archive, "-C", name, "data"], check=False))
        client.upload_file(archive, testbed.bucket, "bench/all.tar.gz")
        client.download_file(testbed.bucket, "bench/all.tar.gz", f"{name}/back.tar.gz")
        _check(subprocess.run(["tar", "-xzf", f"{name}/back.tar.gz", "-C", str(out)], check=False))
        seconds = time.monotonic() - began
    client.delete_object(Bucket=testbed.bucket, Key="bench/all.tar.gz")
    return seconds


def _check(done: Any) -> None:
    assert done.returncode == 0, done


if __name__ == "__main__":
    main()
