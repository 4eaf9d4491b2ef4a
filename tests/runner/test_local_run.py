"""A run of a checkout on this machine, uncommitted changes and all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.errors import ConfigError, PlanError
from runner.git_errors import NotARepository
from runner.local_run import Update, open_local_run
from tests.support.repositories import run_git


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    run_git("init", "-q", "-b", "main", ".", at=folder)
    return folder


def play(folder: Path, text: str, **options: object) -> tuple[list[Update], list[str]]:
    (folder / ".ci.yaml").write_text(text)
    with open_local_run(folder, **options) as run:  # type: ignore[arg-type]
        updates = list(run.watch())
        lines = [line.text for update in updates for _, _, line in update.lines]
    return updates, lines


def test_what_is_not_committed_runs(checkout: Path) -> None:
    (checkout / "new.txt").write_text("fresh\n")
    (checkout / ".gitignore").write_text("secret\n")
    (checkout / "secret").write_text("no\n")
    updates, lines = play(checkout, "steps: {a: {run: cat new.txt; test ! -e secret}}\n")
    assert updates[-1].status == "success"
    assert lines == ["fresh"]
    assert not (checkout / "made").exists()


def test_nothing_is_written_into_the_checkout(checkout: Path) -> None:
    play(checkout, "steps: {a: {run: echo x > made}, b: {needs: a, run: cat made}}\n")
    assert sorted(path.name for path in checkout.iterdir()) == [".ci.yaml", ".git"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (None, "push main  "),
        ("push:topic", "push topic  "),
        ("tag:v1", "tag  v1 "),
        ("pull_request:main", "pull_request main  main"),
    ],
)
def test_events(checkout: Path, event: str | None, told: str) -> None:
    text = 'steps: {a: {run: "echo $CI_EVENT $CI_BRANCH \\" $CI_TAG $CI_SOURCE_BRANCH\\""}}\n'
    _, lines = play(checkout, text, event=event)
    assert lines[0].split() == told.split()


def test_an_unknown_event_is_refused(checkout: Path) -> None:
    (checkout / ".ci.yaml").write_text("steps: {a: {run: x}}\n")
    with (
        pytest.raises(ValueError, match="'pull' is no event"),
        open_local_run(checkout, event="pull"),
    ):
        pass


def test_variables_from_outside_outrank_the_file(checkout: Path) -> None:
    text = "env: {A: one}\nsteps: {a: {env: {A: two}, run: 'echo $A'}}\nfinally: {f: {run: 'echo $A'}}\n"
    _, lines = play(checkout, text, env={"A": "${{ three"})
    assert lines == ["${{ three", "${{ three"]


def test_artifacts_can_be_copied(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".ci.yaml").write_text(
        "steps: {a: {run: 'mkdir d; echo x > d/r.txt', artifacts: ['d/*']}, b: {run: 'true'}}\n"
    )
    with open_local_run(checkout) as run:
        for _ in run.watch():
            pass
        written = run.copy_artifacts("a", tmp_path / "out")
        assert run.copy_artifacts("b", tmp_path / "out") == []
    assert [path.read_text() for path in written] == ["x\n"]


def test_a_run_can_be_cancelled(checkout: Path) -> None:
    text = "steps: {a: {run: echo begun; sleep 300}}\nfinally: {f: {run: echo bye}}\n"
    (checkout / ".ci.yaml").write_text(text)
    lines: list[str] = []
    with open_local_run(checkout) as run:
        for update in run.watch():
            fresh = [line.text for _, _, line in update.lines]
            lines += fresh
            if "begun" in fresh:
                run.cancel()
        assert run.status == "cancelled"
    assert lines == ["begun", "bye"]


def test_what_is_wrong_is_told_before_anything_runs(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"), open_local_run(checkout):
        pass
    (checkout / "other.yaml").write_text("steps: {a: {rn: x}}\n")
    with (
        pytest.raises(ConfigError, match=r"other\.yaml:1:13: unknown key `rn`"),
        open_local_run(checkout, file=checkout / "other.yaml"),
    ):
        pass
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotARepository), open_local_run(empty):
        pass


def test_leaving_early_leaves_nothing_running(checkout: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"steps: {{a: {{run: 'trap : TERM; echo $$ > {pid}; while :; do sleep 1; done'}}}}\n"
    (checkout / ".ci.yaml").write_text(text)
    with open_local_run(checkout) as run:
        for _ in run.watch():
            if pid.exists() and pid.read_text().strip():
                break
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_secrets_from_outside_reach_the_steps_that_name_them(checkout: Path) -> None:
    text = "steps: {a: {run: 'echo $KEY $#', secrets: KEY}, b: {run: 'echo ${KEY:-none}'}}\n"
    updates, lines = play(checkout, text, secrets={"KEY": "hush"})
    assert updates[-1].status == "success"
    assert sorted(lines) == ["*** 0", "none"]


def test_a_secret_that_nobody_gave_is_an_error_of_its_step(checkout: Path) -> None:
    text = "steps: {a: {run: 'true', secrets: KEY}, b: {run: 'true'}}\n"
    updates, _ = play(checkout, text)
    steps = updates[-1].steps
    assert {name: str(step.state) for name, step in steps.items()} == {"a": "error", "b": "success"}
    assert steps["a"].reason == "this run has no secret `KEY`: hookline run --secret KEY"


def test_services_are_refused_before_anything_runs(checkout: Path) -> None:
    text = "steps: {a: {run: touch x}, b: {run: x, services: {db: {image: x}}}}\n"
    with pytest.raises(PlanError, match="`b` has services"):
        play(checkout, text)
