"""A real push into a bare repository: lines for the pusher, a note, a badge, a page, a rerun."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.e2e.servers import Server, states, step, wait_for

PIPELINE = """
steps:
  lint: {run: "echo linting; test -e good"}
  test:
    needs: lint
    matrix: {part: [one, two]}
    outputs: [count]
    artifacts: ["*.log"]
    run: |
      echo "testing $CI_MATRIX_PART" | tee "$CI_MATRIX_PART.log"
      echo "count=1" >> "$CI_OUTPUT"
  preview: {needs: lint, when: event.branch != "main", run: exit 9}
  report:
    needs: [test, preview]
    env: {COUNTS: "${{ steps.test.outputs.count }}"}
    run: cat one.log two.log; echo "$COUNTS"
finally:
  goodbye: {run: 'echo "a $CI_RUN_STATUS"'}
"""


class Checkout:
    """A bare repository with Hookline's hook, and a clone to push from."""

    def __init__(self, server: Server, *, public: bool = True, wait: str = "60") -> None:
        self.server = server
        self.bare = server.folder / "demo.git"
        self.work = server.folder / "work"
        self._run("git", "init", "-q", "--bare", "-b", "main", str(self.bare))
        if public:
            server.cli("repo", "add", "--public", "acme/demo", str(self.bare))
        server.cli("hook", "install", str(self.bare), "--name", "acme/demo", "--wait", wait)
        self._run("git", "clone", "-q", str(self.bare), str(self.work))

    def push(self, files: dict[str, str | None], *options: str, branch: str = "main") -> str:
        """Commit files (None removes one) and push; return what the pusher sees."""
        for name, text in files.items():
            path = self.work / name
            path.unlink() if text is None else path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "A change")
        return self.git("push", *options, "origin", f"HEAD:refs/heads/{branch}")

    def git(self, *arguments: str) -> str:
        return self._run("git", "-C", str(self.work), *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.server.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def checkout(server: Server) -> Checkout:
    return Checkout(server)


def test_a_push_becomes_a_run_a_note_a_badge_and_a_page(checkout: Checkout) -> None:
    server = checkout.server
    told = checkout.push({".ci.yaml": PIPELINE, "good": ""})
    assert "remote: hookline: run 1 of main: http://127.0.0.1" in told
    assert "✓ lint" in told
    assert "preview" in told
    run = server.newest("acme/demo")
    assert run["status"] == "success"
    assert states(run) == {
        "lint": "success",
        "test (part=one)": "success",
        "test (part=two)": "success",
        "preview": "skipped",
        "report": "success",
        "goodbye": "success",
    }
    log = server.get(f"/api/v1/runs/{run['id']}/steps/report/log").text
    assert log == 'testing one\ntesting two\n["1","1"]\n'

    def noted() -> str:
        checkout.git("fetch", "-q", "-f", "origin", "refs/notes/*:refs/notes/*")
        return checkout.git("log", "-1", "--notes=hookline", "--format=%N")

    note = wait_for(
        "note of success", lambda: "Success: 5 steps (1 skipped)" in noted() and noted()
    )
    assert f"{server.url}/runs/{run['id']}" in note

    badge = httpx2.get(f"{server.url}/badges/acme/demo.svg")
    assert badge.headers["content-type"].startswith("image/svg+xml")
    assert "success" in badge.text
    of_step = httpx2.get(f"{server.url}/badges/acme/demo.svg", params={"step": "test (part=one)"})
    assert "success" in of_step.text

    page = httpx2.get(f"{server.url}/runs/{run['id']}")
    assert page.status_code == 200
    assert "<svg" in page.text
    assert "testing one" in page.text

    artifact = server.get(f"/api/v1/runs/{run['id']}/steps/test (part=two)/artifacts/two.log")
    assert artifact.text == "testing two\n"


def test_rerun_failed_runs_just_that_on_the_same_bytes(checkout: Checkout, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    pipeline = f"""
steps:
  build: {{run: "date +%s%N > built; echo build >> {tmp_path}/ran"}}
  test: {{needs: build, run: "echo test >> {tmp_path}/ran; cat built; test -e {flag}"}}
"""
    checkout.push({".ci.yaml": pipeline})
    server = checkout.server
    run = server.newest("acme/demo")
    assert (run["status"], step(run, "test")["reason"]) == ("failure", "exit code 1")
    before = server.cli("logs", "acme/demo#1", "test")
    flag.touch()
    told = server.cli("rerun", "--failed", "--wait", "acme/demo#1")
    assert "success" in told
    again = server.ended(run["id"], attempt=2)
    assert again["status"] == "success"
    assert server.cli("logs", "acme/demo#1", "test") == before
    assert (tmp_path / "ran").read_text().split() == ["build", "test", "test"]
    assert [a["outcome"] for a in step(again, "test")["attempts"]] == ["failure", "success"]


def test_a_broken_file_is_an_error_with_its_place_and_cure(checkout: Checkout) -> None:
    told = checkout.push({".ci.yaml": "steps:\n  lint:\n    run: x\n    need: y\n"})
    assert ".ci.yaml:4:5: unknown key `need` (did you mean `needs`?)" in told
    run = checkout.server.newest("acme/demo")
    assert run["status"] == "error"
    assert "did you mean `needs`?" in run["reason"]


def test_no_file_makes_no_run_and_the_delivery_says_so(checkout: Checkout) -> None:
    server = checkout.server
    told = checkout.push({"README": "nothing to run"})
    assert "there is no .ci.yaml at" in told
    assert server.runs("acme/demo") == []
    deliveries = server.get("/api/v1/deliveries", repository="acme/demo").json()["deliveries"]
    (change,) = server.get(f"/api/v1/deliveries/{deliveries[0]['id']}").json()["changes"]
    assert "there is no .ci.yaml at" in change["reason"]


def test_triggers_that_do_not_match_make_no_run(checkout: Checkout) -> None:
    pipeline = "on: {push: {branches: main}}\nsteps: {a: {run: 'true'}}\n"
    told = checkout.push({".ci.yaml": pipeline}, branch="topic")
    assert "`on.push.branches` does not match topic" in told
    checkout.push({})
    assert checkout.server.newest("acme/demo", 2)["status"] == "success"


def test_a_private_repository_is_not_there_for_strangers(server: Server) -> None:
    checkout = Checkout(server, public=False)
    checkout.push({".ci.yaml": "steps: {a: {run: echo hidden}}\n"})
    run = server.newest("acme/demo")
    for path in (f"/runs/{run['id']}", f"/api/v1/runs/{run['id']}"):
        assert httpx2.get(server.url + path).status_code in (401, 404)
    strange = httpx2.get(f"{server.url}/badges/acme/demo.svg")
    unknown = httpx2.get(f"{server.url}/badges/acme/none.svg")
    assert strange.status_code == unknown.status_code == 200
    assert "success" not in strange.text


def test_what_hostile_names_say_is_data(checkout: Checkout, tmp_path: Path) -> None:
    pipeline = 'steps: {a: {run: "echo \\"$CI_BRANCH\\"; echo \\"$CI_COMMIT_MESSAGE\\""}}\n'
    branch = f"$(touch${{IFS}}{tmp_path.name}-owned)`id`;x"
    checkout.push({".ci.yaml": pipeline}, branch=branch)
    server = checkout.server
    run = server.newest("acme/demo")
    assert server.get(f"/api/v1/runs/{run['id']}/steps/a/log").text.splitlines()[0] == branch
    page = httpx2.get(f"{server.url}/runs/{run['id']}").text
    assert "touch" in page


def test_cancel_from_the_command_line(checkout: Checkout) -> None:
    pipeline = "steps: {slow: {run: sleep 300}}\nfinally: {bye: {run: echo bye}}\n"
    checkout.push({".ci.yaml": pipeline}, "-o", "ci.nowait")
    server = checkout.server
    run = wait_for("run", lambda: server.runs("acme/demo"))[0]
    wait_for("step that runs", lambda: states(server.run(run["id"])).get("slow") == "running")
    server.cli("cancel", "acme/demo#1")
    ended = server.ended(run["id"])
    assert ended["status"] == "cancelled"
    assert states(ended) == {"slow": "cancelled", "bye": "success"}
