"""What `hookline serve` says, and how it ends, where the settings lead nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.exits import ExitCode, failure_of
from runner.executors.base import ExecutorAway, ExecutorUnusable
from runner.objects.opening import StoreUnshared, StoreUnsupported
from runner.objects.s3_errors import StoreBucketMissing, StoreUnreachable

ROOT = Path(__file__).parents[3]


def serve(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    known = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **kept}
    return subprocess.run(
        [sys.executable, "-m", "runner.cli.main", "serve", "--port", "0"],
        env={**known, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_store_that_cannot_be_used_ends_it_with_one_message(tmp_path: Path) -> None:
    ended = serve(
        tmp_path,
        HOOKLINE_EXECUTOR="kubernetes",
        HOOKLINE_OBJECT_STORE="s3://hookline",
        HOOKLINE_S3__CA_FILE=str(tmp_path / "none"),
    )
    assert (ended.returncode, ended.stdout) == (ExitCode.CONFIG, "")
    assert ended.stderr.startswith(f"Error: cannot use the certificates in {tmp_path}/none: ")
    assert "look at s3.ca_file" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "error",
    [
        ExecutorUnusable("executor: there is no namespace x", cure="make it"),
        ExecutorAway("executor: the cluster is away"),
        StoreBucketMissing("cannot list"),
        StoreUnreachable("cannot list"),
        StoreUnshared("it is a folder"),
        StoreUnsupported("it needs boto3"),
    ],
)
def test_what_a_setting_leads_to_is_one_exit_code(error: Exception) -> None:
    failure = failure_of(error)
    assert failure is not None
    assert failure.exit_code == ExitCode.CONFIG
    assert failure.format_message().startswith(str(error))
