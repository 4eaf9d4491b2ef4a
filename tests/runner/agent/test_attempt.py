from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.states import Cause, Outcome
from runner.executors.base import Artifact
from tests.runner.executors.bench import Bench, wrapped


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_step_gets_its_input_and_leaves_a_snapshot_that_came_from_it(bench: Bench) -> None:
    first = bench.snapshot({"src/a": "a\n", "src/b": "b\n"})
    result = bench.run("cat src/a; rm src/b; echo c > c", input=first)
    assert bench.last_text() == ["a"]
    assert bench.files(result.snapshot) == {"c": digest("c\n"), "src/a": digest("a\n")}
    assert result.snapshot is not None
    assert bench.snapshots.load(result.snapshot).parents == (first,)


def test_a_step_that_changes_nothing_leaves_its_input(bench: Bench) -> None:
    first = bench.snapshot({"a": "a"})
    assert bench.run("cat a", input=first).snapshot == first


def test_what_a_failed_step_left_is_kept(bench: Bench) -> None:
    result = bench.run("echo x > x; exit 1")
    assert set(bench.files(result.snapshot)) == {"x"}


def test_steps_in_a_row_find_their_workspace_at_the_same_place(bench: Bench) -> None:
    first = bench.run("pwd; echo 1 > one")
    place = bench.last_text()
    second = bench.run("pwd; cat one", input=first.snapshot)
    assert bench.last_text() == [*place, "1"]
    assert second.snapshot == first.snapshot


def test_a_workspace_that_was_used_has_nothing_of_its_last_step(bench: Bench) -> None:
    first = bench.snapshot({"a": "a\n", "d/b": "b\n"})
    bench.run("pwd; echo x > a; rm -r d; mkfifo pipe; mkdir -p deep/er", input=first)
    place = bench.last_text()
    result = bench.run("pwd; cat a d/b; ls -a | wc -l", input=first)
    assert [line.strip() for line in bench.last_text()] == [*place, "a", "b", "4"]
    assert result.snapshot == first


def test_steps_side_by_side_do_not_see_one_another(bench: Bench) -> None:
    first = bench.start_and_see("pwd; echo x > mine; echo ready; sleep 300")
    bench.run("pwd; ls")
    assert bench.text(first)[0] != bench.last_text()[0]
    assert len(bench.last_text()) == 1


def test_a_step_is_told_its_places(bench: Bench) -> None:
    order = bench.start('echo "$CI_WORKSPACE"; pwd; echo "$CI_OUTPUT"')
    bench.end(order)
    workspace, place, output = bench.text(order)
    assert workspace == place
    assert Path(output) == bench.folder(order).output
    assert not Path(output).is_relative_to(workspace)


def test_a_step_has_the_environment_of_its_order_and_nothing_else(bench: Bench) -> None:
    bench.use(
        environ={"PATH": "/usr/bin:/bin", "LC_X": "x", "HOOKLINE_KEY": "k", "OTHER": "o"},
        pass_environment=("PATH", "LC_*", "HOOKLINE_*"),
    )
    bench.run(command=("env",), environment={"LC_X": "mine", "B": "two\nlines ü"})
    names = {line.split("=")[0] for line in bench.last_text() if "=" in line}
    assert names == {"PATH", "LC_X", "B", "CI_OUTPUT", "CI_WORKSPACE"}
    assert {"LC_X=mine", "B=two", "lines ü"} <= set(bench.last_text())


def test_the_environment_of_a_step_does_not_lie_on_the_disk(bench: Bench) -> None:
    order = bench.start_and_see("echo ready; sleep 300", environment={"TOKEN": "s3cr" + "et"})
    found = [path for path in bench.root.rglob("*") if path.is_file()]
    assert found
    assert not any(b"s3cret" in path.read_bytes() for path in found)
    assert bench.root.joinpath(order.attempt.run).stat().st_mode & 0o077 == 0


def test_a_step_finds_its_secrets_in_its_environment_and_they_are_masked(bench: Bench) -> None:
    result = bench.run(
        'echo "$KEY"; echo "$KEY" | base64; printf s3; sleep 0.05; echo cret; echo ${#KEY}',
        secrets={"KEY": "s3cret"},
    )

    assert bench.last_text() == ["***", "***Cg==", "***", "6"]
    assert result.outcome is Outcome.SUCCESS


def test_a_secret_outranks_a_variable_of_the_same_name(bench: Bench) -> None:
    bench.run('test "$KEY" = s3cret', environment={"KEY": "no"}, secrets={"KEY": "s3cret"})
    assert bench.run("true").outcome is Outcome.SUCCESS


def test_no_secret_lies_on_the_disk_or_in_an_argument(bench: Bench) -> None:
    order = bench.start_and_see(
        'echo "$KEY"; echo ready; sleep 300', secrets={"KEY": "s3cr" + "et"}
    )
    found = [path for path in bench.root.parent.rglob("*") if path.is_file()]
    assert found
    assert not any(b"s3cret" in path.read_bytes() for path in found)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert b"s3cret" not in process.read_bytes()
    assert bench.text(order) == ["***", "ready"]


def test_an_output_that_holds_a_secret_is_not_kept(bench: Bench) -> None:
    script = 'echo "a=1" >> "$CI_OUTPUT"; echo "b=<$KEY>" >> "$CI_OUTPUT"'
    result = bench.run(script, outputs=("a", "b"), secrets={"KEY": "s3cret"})

    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.OUTPUT)
    assert result.message == (
        "the output `b` held a secret and was not kept; "
        "name the secret in `secrets:` of the step that uses it"
    )
    assert result.outputs == {"a": "1"}


def test_a_failed_step_is_told_of_outputs_with_secrets_too(bench: Bench) -> None:
    script = 'echo "a=$KEY" >> "$CI_OUTPUT"; exit 3'
    result = bench.run(script, outputs=("a",), secrets={"KEY": "s3cret"})

    assert (result.cause, result.exit_code) == (Cause.EXIT_CODE, 3)
    assert any("held a secret" in warning for warning in result.warnings)
    assert result.outputs == {}


def test_messages_and_warnings_are_masked(bench: Bench) -> None:
    result = bench.run('echo "$KEY" >> "$CI_OUTPUT"', secrets={"KEY": "s3cret"})
    assert "'***', is neither" in result.message

    result = bench.run(artifacts=("x/s3cret/*",), secrets={"KEY": "s3cret"})
    assert result.warnings == ("artifacts: no file matches the pattern `x/***/*`",)

    result = bench.run(command=("/no/s3cret",), secrets={"KEY": "s3cret"})
    assert result.message.startswith("cannot start `/no/***`")


def test_outputs_come_back(bench: Bench) -> None:
    script = 'echo a=1 >> "$CI_OUTPUT"; printf "b<<E\\nx\\ny\\nE\\n" >> "$CI_OUTPUT"'
    result = bench.run(script, outputs=("a", "b"))
    assert result.outcome is Outcome.SUCCESS
    assert result.outputs == {"a": "1", "b": "x\ny"}


def test_an_output_that_is_declared_must_be_written(bench: Bench) -> None:
    result = bench.run("true", outputs=("passed",))
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.OUTPUT)
    assert result.message == "did not write the output `passed` it declares"
    assert result.exit_code == 0
    assert result.snapshot


def test_a_step_that_fails_need_not_write_its_outputs(bench: Bench) -> None:
    result = bench.run("exit 2", outputs=("passed",))
    assert (result.cause, result.exit_code, result.warnings) == (Cause.EXIT_CODE, 2, ())


def test_a_badly_filled_outputs_file_fails_a_step(bench: Bench) -> None:
    result = bench.run('echo a=1 >> "$CI_OUTPUT"; echo oops >> "$CI_OUTPUT"', outputs=("a",))
    assert (result.outcome, result.cause) == (Outcome.FAILURE, Cause.OUTPUT)
    assert "line 2 of the outputs, 'oops'" in result.message
    assert result.outputs == {}


def test_a_badly_filled_outputs_file_does_not_hide_why_a_step_failed(bench: Bench) -> None:
    result = bench.run('echo oops >> "$CI_OUTPUT"; exit 2')
    assert (result.cause, result.exit_code) == (Cause.EXIT_CODE, 2)
    assert "line 1 of the outputs" in result.warnings[0]


def test_outputs_that_are_not_declared_are_dropped_with_a_warning(bench: Bench) -> None:
    result = bench.run('echo a=1 >> "$CI_OUTPUT"; echo b=1 >> "$CI_OUTPUT"', outputs=("a",))
    assert result.outputs == {"a": "1"}
    assert result.warnings == ("wrote the output `b`, not declared in `outputs:`",)


@pytest.mark.parametrize(
    "script",
    ['rm "$CI_OUTPUT"; mkdir "$CI_OUTPUT"', 'ln -sf /etc/passwd "$CI_OUTPUT"'],
)
def test_an_outputs_file_that_was_replaced_fails_a_step(bench: Bench, script: str) -> None:
    assert bench.run(script).cause is Cause.OUTPUT


def test_artifacts_are_found_in_what_a_step_left(bench: Bench) -> None:
    result = bench.run(
        "mkdir -p out/deep; echo 1 > out/a.xml; echo 22 > out/deep/b.xml; echo > c; ln -s c l.xml",
        artifacts=("out/**/*.xml", "**/b.xml", "*.xml", "none-*", "../x"),
    )
    assert result.outcome is Outcome.SUCCESS
    assert result.artifacts == (
        Artifact(path="out/a.xml", size=2, digest=digest("1\n")),
        Artifact(path="out/deep/b.xml", size=3, digest=digest("22\n")),
    )
    assert result.warnings == (
        "artifacts: no file matches the pattern `*.xml`",
        "artifacts: no file matches the pattern `none-*`",
        "artifacts: the pattern `../x` must be a path within the workspace",
    )


def test_artifacts_of_a_step_that_failed_are_kept(bench: Bench) -> None:
    result = bench.run("echo x > report; exit 1", artifacts=("report",))
    assert [artifact.path for artifact in result.artifacts] == ["report"]


def test_what_cannot_be_kept_is_named_in_a_warning(bench: Bench) -> None:
    result = bench.run("mkfifo pipe; echo x > x")
    assert result.outcome is Outcome.SUCCESS
    assert set(bench.files(result.snapshot)) == {"x"}
    assert any("pipe" in warning for warning in result.warnings)


def test_an_input_that_is_not_there(bench: Bench) -> None:
    result = bench.run(input="0" * 64)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
    assert "the workspace cannot be restored" in result.message
    assert not result.started


def test_an_input_whose_contents_are_gone(bench: Bench) -> None:
    first = bench.snapshot({"a": "a"})
    for pack in (bench.store / "packs").rglob("*"):
        if pack.is_file():
            pack.unlink()
    result = bench.run(input=first)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
    assert not result.started
    assert result.snapshot is None


SPOIL = 'rm -rf "$STORE/packs"; echo > "$STORE/packs"; echo new > new'


def test_a_store_that_takes_nothing_is_no_fault_of_the_step(bench: Bench) -> None:
    result = bench.run(SPOIL, environment={"STORE": str(bench.store)})
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.STORAGE)
    assert "the workspace cannot be captured" in result.message
    assert result.started
    assert result.snapshot is None


def test_a_store_that_takes_nothing_does_not_hide_why_a_step_failed(bench: Bench) -> None:
    result = bench.run(f"{SPOIL}; exit 3", environment={"STORE": str(bench.store)})
    assert (result.outcome, result.exit_code) == (Outcome.FAILURE, 3)
    assert any("cannot be captured" in warning for warning in result.warnings)


def test_a_step_that_removes_its_workspace(bench: Bench) -> None:
    result = bench.run('rm -rf "$CI_WORKSPACE"')
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
    assert bench.run("true").outcome is Outcome.SUCCESS


def test_a_full_disk_is_told_from_a_broken_workspace(bench: Bench) -> None:
    first = bench.snapshot({"big": "x" * 100_000})
    bench.use(interpreter=wrapped("ulimit -f 64"))
    result = bench.run(input=first)
    assert result.outcome is Outcome.ERROR
    assert result.cause in {Cause.STORAGE, Cause.WORKSPACE}
    assert not result.started


def test_a_folder_that_cannot_hold_workspaces(bench: Bench) -> None:
    order = bench.order()
    home = bench.root / order.attempt.run
    home.mkdir(parents=True)
    (home / "workspaces").write_text("in the way")
    bench.executor.start(order)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
    (home / "workspaces").unlink()


def test_an_attempt_folder_that_cannot_be_written(bench: Bench) -> None:
    order = bench.order()
    folder = bench.folder(order).path
    folder.mkdir(parents=True)
    (folder / "output").mkdir()
    bench.executor.start(order)
    result = bench.end(order)
    assert (result.outcome, result.cause) == (Outcome.ERROR, Cause.WORKSPACE)
    assert "the folder of the attempt cannot be written" in result.message
    assert not result.started
