"""Other people's packages, with their own test suites, run through Hookline."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.servers import Server, states, step
from tests.e2e.test_plain_git import Checkout

PIPELINE = """
env: {{PYTHONDONTWRITEBYTECODE: "1"}}
steps:
  compile: {{run: "{python} -m compileall -q {package}"}}
  test:
    needs: compile
    run: |
      {test}
  report: {{needs: test, run: echo all is well}}
"""


@dataclass(frozen=True)
class Project:
    """A package, how its tests are run, and how one of them is broken on purpose."""

    name: str
    version: str
    package: str
    test: str
    broken: str
    right: str
    wrong: str
    blamed: str


PROJECTS = (
    Project(
        "more-itertools",
        "10.8.0",
        "more_itertools",
        "{python} -m unittest tests.test_recipes",
        "tests/test_recipes.py",
        "self.assertEqual(t, [0, 1, 2, 3, 4])",
        "self.assertEqual(t, [0, 1, 2, 3, 5])",
        "TakeTests",
    ),
    Project(
        "toolz",
        "1.0.0",
        "toolz",
        "{python} -m pytest -q -p no:cacheprovider toolz/tests/test_functoolz.py",
        "toolz/tests/test_functoolz.py",
        "assert thread_first(2, inc) == 3",
        "assert thread_first(2, inc) == 4",
        "test_thread_first",
    ),
)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    wanted = [f"{project.name}=={project.version}" for project in PROJECTS]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"),
            *("--no-deps", "--no-binary=:all:", "-d", str(folder), *wanted),
        ],
        check=True,
    )
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    return folder


@pytest.mark.registry
@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_its_own_tests_run_and_a_broken_one_is_named(
    server: Server, sources: Path, project: Project
) -> None:
    (unpacked,) = [
        path for path in sources.glob(f"{project.name.replace('-', '_')}-*") if path.is_dir()
    ]
    files = {
        str(path.relative_to(unpacked)): path.read_text()
        for path in unpacked.rglob("*.py")
        if path.is_file()
    }
    files[".ci.yaml"] = PIPELINE.format(
        python=sys.executable,
        package=project.package,
        test=project.test.format(python=sys.executable),
    )
    checkout = Checkout(server)
    for name in files:
        (checkout.work / name).parent.mkdir(parents=True, exist_ok=True)
    checkout.push(dict(files), "-o", "ci.nowait")
    green = server.newest("acme/demo")
    log = server.cli("logs", "acme/demo#1", "test")
    assert green["status"] == "success", log
    assert "OK" in log or " passed" in log

    source = files[project.broken]
    assert source.count(project.right) >= 1
    checkout.push({project.broken: source.replace(project.right, project.wrong, 1)})
    red = server.newest("acme/demo", 2)
    assert red["status"] == "failure"
    assert states(red) == {"compile": "success", "test": "failure", "report": "blocked"}
    assert step(red, "test")["reason"] == "exit code 1"
    assert step(red, "report")["reason"] == "`test` failed: exit code 1"
    assert project.blamed in server.cli("logs", "acme/demo#2", "test")
    assert red["reason"] == "test: exit code 1"
