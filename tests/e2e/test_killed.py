"""A server that is killed while a run goes on: the next one carries it to its end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.e2e.servers import HOOKLINE, Server, states, step, wait_for
from tests.e2e.test_plain_git import Checkout


def test_a_step_that_runs_is_taken_up_and_not_started_twice(server: Server, tmp_path: Path) -> None:
    ran, go = tmp_path / "ran", tmp_path / "go"
    checkout = Checkout(server)
    checkout.push(
        {
            ".ci.yaml": f"""
steps:
  first: {{run: "echo first >> {ran}"}}
  slow:
    needs: first
    timeout: 2m
    run: |
      echo "slow $CI_ATTEMPT" >> {ran}
      while [ ! -e {go} ]; do sleep 0.1; done
      echo done waiting
  last: {{needs: slow, run: "echo last >> {ran}"}}
"""
        },
        "-o",
        "ci.nowait",
    )
    run = wait_for("run", lambda: server.runs("acme/demo"))[0]
    wait_for("slow step", lambda: states(server.run(run["id"])).get("slow") == "running")
    server.kill()
    server.start()
    assert states(server.run(run["id"])) == {
        "first": "success",
        "slow": "running",
        "last": "pending",
    }
    go.touch()
    ended = server.ended(run["id"])
    assert ended["status"] == "success"
    assert ran.read_text().splitlines() == ["first", "slow 1", "last"]
    assert server.cli("logs", "acme/demo#1", "slow").strip().endswith("done waiting")


def test_what_ended_while_no_server_was_there_is_picked_up(server: Server, tmp_path: Path) -> None:
    go, over = tmp_path / "go", tmp_path / "over"
    checkout = Checkout(server)
    pipeline = f"""
steps:
  slow:
    outputs: [x]
    timeout: 2m
    run: |
      while [ ! -e {go} ]; do sleep 0.1; done
      echo x=42 >> "$CI_OUTPUT"
      touch {over}
  next: {{needs: slow, env: {{X: "${{{{ steps.slow.outputs.x }}}}"}}, run: "echo got $X"}}
"""
    checkout.push({".ci.yaml": pipeline}, "-o", "ci.nowait")
    run = wait_for("run", lambda: server.runs("acme/demo"))[0]
    wait_for("slow step", lambda: states(server.run(run["id"])).get("slow") == "running")
    server.kill()
    go.touch()
    wait_for("end of the step", over.exists)
    server.start()
    ended = server.ended(run["id"])
    assert ended["status"] == "success"
    assert step(ended, "slow")["outputs"] == {"x": "42"}
    assert "got 42" in server.cli("logs", "acme/demo#1", "next")


def test_a_second_server_is_kept_out(server: Server) -> None:
    told = server.cli("serve", check=False)
    assert "another server uses" in told
    assert "Traceback" not in told


def test_an_address_that_is_taken_is_refused_by_name(
    server: Server, make_server: Callable[..., Server]
) -> None:
    other = make_server()
    told = other.cli("serve", "--port", str(server.port), check=False)
    assert f"cannot listen at 127.0.0.1:{server.port}" in told
    assert "Traceback" not in told


def test_a_port_that_is_left_open_is_told(make_server: Callable[..., Server]) -> None:
    other = make_server()
    with other.log.open("wb") as log:
        process = subprocess.Popen(
            [HOOKLINE, "serve", "--port", "0"], env=other.environment, stdout=log, stderr=log
        )
    try:
        line = wait_for(
            "address",
            lambda: re.search(r"serves (http://127.0.0.1:[1-9]\d*) ", other.log.read_text()),
        )
        assert httpx2.get(f"{line[1]}/healthz").status_code == 200
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_folders_that_cannot_be_used_are_refused_by_name(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for setting, name in (("HOOKLINE_DATA", "data"), ("HOOKLINE_OBJECT_STORE", "object_store")):
        other = make_server()
        other.environment[setting] = str(tmp_path / "file" / "below")
        told = other.cli("serve", check=False)
        assert f"{name}: {tmp_path}/file/below cannot be used: Not a directory" in told
        assert "Traceback" not in told
