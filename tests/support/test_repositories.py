"""The repositories and the server that tests lean on are what they say."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.repositories import (
    BareRepository,
    copy_of,
    executable,
    run_git,
    serve_http,
    submodule,
    symlink,
    work_tree,
)


def test_commits_hold_what_they_were_given(tmp_path: Path) -> None:
    origin = BareRepository(tmp_path / "web.git")
    first = origin.commit({"a": "1", "dir/b": b"\0", "run": executable("x"), "go": symlink("a")})
    second = origin.commit({"a": None, "sub": submodule(first)}, message="subject")
    assert origin.tip() == second
    assert origin.git("rev-parse", f"{second}^") == first
    assert [line.split()[0] for line in origin.git("ls-tree", "-r", second).splitlines()] == [
        "100644",
        "120000",
        "100755",
        "160000",
    ]
    assert origin.git("log", "--format=%s", second).splitlines() == ["subject", "a change"]


def test_the_same_history_has_the_same_ids(tmp_path: Path) -> None:
    one, two = (BareRepository(tmp_path / name) for name in ("one.git", "two.git"))
    assert one.commit({"a": "1"}) == two.commit({"a": "1"})


def test_branches_are_forced_and_deleted(tmp_path: Path) -> None:
    origin = BareRepository(tmp_path / "web.git")
    base = origin.commit({"a": "1"})
    origin.commit({"a": "2"})
    forced = origin.commit({"a": "3"}, parent=base)
    assert origin.git("rev-parse", "main^") == base
    unrelated = origin.commit({"a": "4"}, branch="other", parent="")
    assert (origin.tip("main"), origin.tip("other")) == (forced, unrelated)
    origin.delete("refs/heads/other")
    assert origin.tip("other") == ""


def test_a_fork_goes_its_own_way(tmp_path: Path) -> None:
    origin = BareRepository(tmp_path / "web.git")
    base = origin.commit({"a": "1"})
    fork = copy_of(origin, tmp_path / "fork.git")
    theirs = fork.commit({"a": "2"})
    assert (origin.tip(), fork.tip()) == (base, theirs)


@pytest.mark.parametrize("username", ["ada", None])
def test_large_pushes_go_over_http(tmp_path: Path, username: str | None) -> None:
    origin = BareRepository(tmp_path / "remotes" / "web.git")
    top = work_tree(tmp_path / "web", {"a": "1"})
    (top / "big").write_bytes(random.Random(1).randbytes(3_000_000))
    run_git("add", "big", at=top)
    run_git("commit", "--quiet", "--message=big", at=top)
    with serve_http(tmp_path / "remotes", token="t0ken", username=username) as server:
        header = "Authorization: Bearer t0ken" if username is None else "Authorization: Basic "
        header += "" if username is None else "YWRhOnQwa2Vu"
        url = server.url("web.git")
        run_git("-c", f"http.extraHeader={header}", "push", "--quiet", url, "main", at=top)
        with pytest.raises(AssertionError, match=r"Authentication failed|could not read Username"):
            run_git("push", "--quiet", url, "main:other", at=top)
        assert [request.method for request in server.requests].count("POST") > 0
    assert origin.tip() == run_git("rev-parse", "HEAD", at=top).decode().strip()
