"""What a command does not need it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.servers import HOOKLINE, clean_environment
from tests.support.repositories import run_git

HEAVY = ("kubernetes", "boto3", "botocore", "psycopg")

PROBE = """
import sys
from runner.cli.main import main
sys.argv = ["hookline", *{arguments!r}]
try:
    main()
except SystemExit as end:
    code = end.code
print("loaded:", *[name for name in {names!r} if name in sys.modules])
sys.exit(code)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".ci.yaml").write_text("steps: {hello: {run: echo hello}}\n")
    run_git("init", "-q", "-b", "main", ".", at=tmp_path)
    return tmp_path


def loaded(arguments: list[str], names: tuple[str, ...], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=arguments, names=names)],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(Path(__file__).parents[2])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_a_local_run_loads_no_cloud(checkout: Path) -> None:
    heavy = (*HEAVY, "starlette", "uvicorn", "alembic", "httpx2")
    assert loaded(["run"], heavy, checkout) == "loaded:"


def test_help_loads_hardly_anything(checkout: Path) -> None:
    names = (*HEAVY, "sqlalchemy", "pydantic", "networkx", "git", "rich", "httpx2", "starlette")
    assert loaded(["--help"], names, checkout) == "loaded:"


def test_the_probe_sees_what_is_loaded(checkout: Path) -> None:
    assert loaded(["run"], ("sqlalchemy",), checkout) == "loaded: sqlalchemy"


def test_our_own_pipeline_is_fine() -> None:
    done = subprocess.run(
        [HOOKLINE, "lint"],
        cwd=Path(__file__).parents[2],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
