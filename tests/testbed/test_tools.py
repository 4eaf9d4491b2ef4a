"""Programs are built once per pin, and what is missing is said."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.testbed.tools import MODULES, PROGRAMS, TestbedError, binary, built, cache_folder, locked


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hookline-testbed"


def test_the_cache_is_where_the_rules_of_xdg_say() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/hookline-testbed")
    assert cache_folder({}) == Path.home() / ".cache" / "hookline-testbed"


def test_every_module_is_pinned_by_version_and_sum() -> None:
    for module in MODULES:
        pins = (module.pins / "go.mod").read_text()
        sums = (module.pins / "go.sum").read_text()
        required = re.findall(r"^(?:require )?\s*(\S+) (v\S+)", pins, re.MULTILINE)
        for package in module.programs.values():
            assert package in pins
            assert any(package.startswith(path) and f"{path} {v} " in sums for path, v in required)


def test_other_flags_are_other_programs() -> None:
    digests = {module.digest() for module in MODULES}
    assert len(digests) == len(MODULES)
    assert replace(MODULES[0], ldflags="").digest() not in digests


def test_a_program_that_is_kept_is_given_at_once(cache: Path) -> None:
    kept = cache / PROGRAMS["mc"].digest()
    assert not built("mc")
    kept.mkdir(parents=True)
    assert built("mc")
    assert binary("mc") == kept / "mc"


def test_who_asks_for_an_unknown_program_is_told_the_known() -> None:
    with pytest.raises(TestbedError, match=r"no program 'docker' here; there are etcd, helm"):
        binary("docker")


def test_without_go_it_is_said_what_to_install(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        TestbedError, match=r"builds mc from source and finds no `go`; install Go 1"
    ):
        binary("mc")
    assert not built("mc")


def test_a_build_that_fails_leaves_nothing_and_says_why(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho no network here >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    with pytest.raises(TestbedError, match="failed:\nno network here"):
        binary("mc")
    assert not built("mc")
    assert [path.name for path in cache.iterdir()] == [f"{PROGRAMS['mc'].digest()}.lock"]


def test_who_comes_while_it_is_built_waits_and_builds_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        f"#!/bin/sh\necho built >> {tmp_path}/count\nsleep 0.2\n"
        'while [ "$1" != -o ]; do shift; done\nmkdir -p "${2%/*}"\n: > "$2"\n'
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(binary("mc"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [cache / PROGRAMS["mc"].digest() / "mc"] * 4
    assert found[0].exists()
    assert (tmp_path / "count").read_text() == "built\n"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    order: list[str] = []
    path = tmp_path / "new" / "lock"

    def second() -> None:
        with locked(path):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(path):
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
