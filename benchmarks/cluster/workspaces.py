"""A large workspace from one step to the next, against the store itself and against a tar.gz."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.cluster.memory import mebibytes, peak_of_agents
from benchmarks.cluster.stages import open_stage, stamps
from benchmarks.figures import Figure
from tests.support.cluster import Testbed

LARGE = """
steps:
  make:
    resources: {memory: 1Gi, disk: 8Gi}
    run: |
      set -e
      mkdir -p data; cd data
      for d in $(seq 1 200); do
        mkdir $d
        for f in $(seq 1 100); do head -c 53688 /dev/urandom > $d/$f; done
      done
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


def workspaces(testbed: Testbed) -> Iterator[Figure]:
    """Yield how long 1 GiB in 20,000 files takes to the next step, and 1 % of it changed."""
    with open_stage(testbed, 2) as stage:
        with peak_of_agents() as peak:
            run = stage.ended(stage.push(LARGE))
        assert run["status"] == "success", run
        made, used, again = (stamps(stage, run, name) for name in ("make", "use", "again"))
    raw = _raw_transfer(testbed)
    yield Figure(
        "1 GiB in 20,000 files to the next step", "s", used[0] - made[-1], raw, "PUT and GET"
    )
    whole = _tarred(testbed)
    yield Figure("the same, 1 % changed", "s", again[0] - used[-1], whole, "tar.gz of all")
    idle = mebibytes(os.getpid())
    yield Figure("agent, at most", "MiB", peak[0], idle, "this program")


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
