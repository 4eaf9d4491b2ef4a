"""The checkout that somebody is editing: found, described and listed, and left as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runner.git import WorkingTree
from runner.git_errors import CommandFailed, HostilePath, NotARepository
from tests.support.repositories import BareRepository, run_git, work_tree


def test_it_is_found_from_any_folder_inside(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a/b/c.txt": "1"})
    assert WorkingTree(top).top == top.resolve()
    assert WorkingTree(top / "a" / "b").top == top.resolve()


def test_a_name_with_odd_characters(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "-$HOME ä\nb", {"c": "1"})
    assert WorkingTree(top).files() == ("c",)
    assert WorkingTree(top).top == top.resolve()


def test_the_head(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    head = WorkingTree(top).head()
    assert head is not None
    assert head.id == run_git("rev-parse", "HEAD", at=top).decode().strip()
    assert (head.message, head.author) == ("start", "Ada")
    assert WorkingTree(top).branch() == "main"


def test_a_branch_with_the_name_of_a_tag(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    run_git("tag", "feature/x", at=top)
    run_git("switch", "--quiet", "-c", "feature/x", at=top)
    assert WorkingTree(top).branch() == "feature/x"


def test_without_commits(tmp_path: Path) -> None:
    tree = WorkingTree(work_tree(tmp_path / "web", {"a": "1"}, commit=False))
    assert (tree.head(), tree.branch(), tree.files()) == (None, "main", ("a",))


def test_a_detached_head(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    run_git("checkout", "--quiet", "--detach", at=top)
    assert WorkingTree(top).branch() is None
    assert WorkingTree(top).head() is not None


def test_a_linked_work_tree(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    run_git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"), at=top)
    assert WorkingTree(tmp_path / "linked").top == (tmp_path / "linked").resolve()
    assert WorkingTree(tmp_path / "linked").branch() == "other"


def test_files_are_those_tracked_and_those_not_ignored(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"b": "1", "a/x": "1", "gone": "1", ".gitignore": "*.log\n"})
    (top / "gone").unlink()
    (top / "new ä\n").write_text("1")
    (top / "ignored.log").write_text("1")
    (top / "dangling").symlink_to("nowhere")
    (top / "folder").symlink_to("a")
    run_git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor", at=top)
    (top / "vendor").mkdir()
    work_tree(top / "nested", {"inner": "1"})
    assert WorkingTree(top / "a").files() == (
        ".gitignore",
        "a/x",
        "b",
        "dangling",
        "folder",
        "new ä\n",
    )


def test_a_file_in_conflict_is_listed_once(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    oid = run_git("rev-parse", "HEAD:a", at=top).decode().strip()
    stages = "".join(f"100644 {oid} {stage}\ta\n" for stage in (1, 2, 3))
    lines = f"0 {'0' * 40}\ta\n{stages}"
    run_git("update-index", "--index-info", at=top, listen_to=lines.encode())
    assert WorkingTree(top).files() == ("a",)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes UTF-8 names only")
def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    Path(os.fsdecode(os.fsencode(top) + b"/caf\xe9")).write_text("1")
    with pytest.raises(HostilePath, match=r"caf\\xe9"):
        WorkingTree(top).files()


def test_a_folder_that_is_in_no_repository(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="is in no git repository"):
        WorkingTree(tmp_path)
    with pytest.raises(NotARepository, match="is no folder"):
        WorkingTree(tmp_path / "missing")


def test_a_repository_without_files(tmp_path: Path) -> None:
    bare = BareRepository(tmp_path / "web.git")
    with pytest.raises(NotARepository, match="without files"):
        WorkingTree(bare.path)
    top = work_tree(tmp_path / "web", {"a": "1"})
    with pytest.raises(NotARepository, match="without files"):
        WorkingTree(top / ".git")


def test_a_repository_that_git_cannot_read(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    with (top / ".git" / "config").open("a") as config:
        config.write("[core\n")
    with pytest.raises(CommandFailed, match="bad config line"):
        WorkingTree(top)


def test_nothing_of_the_repositorys_own_is_run(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1", ".gitattributes": "* filter=evil\n"})
    witness = tmp_path / "witness"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {witness}\n")
    script.chmod(0o755)
    (top / ".git" / "hooks").mkdir()
    for hook in ("fsmonitor-watchman", "post-index-change", "reference-transaction"):
        (top / ".git" / "hooks" / hook).symlink_to(script)
    settings = {
        "core.fsmonitor": str(script),
        "core.pager": str(script),
        "pager.log": str(script),
        "log.showSignature": "true",
        "gpg.program": str(script),
        "filter.evil.clean": str(script),
        "diff.external": str(script),
        "core.sshCommand": str(script),
    }
    for key, value in settings.items():
        run_git("config", key, value, at=top)
    signed = run_git("cat-file", "commit", "HEAD", at=top).replace(
        b"\n\n", b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n -----END PGP SIGNATURE-----\n\n", 1
    )
    oid = run_git("hash-object", "-w", "-t", "commit", "--stdin", at=top, listen_to=signed)
    (top / ".git" / "refs" / "heads" / "main").write_bytes(oid)
    tree = WorkingTree(top)
    head = tree.head()
    assert head is not None
    assert (head.id, head.message) == (oid.decode().strip(), "start")
    assert tree.files() == (".gitattributes", "a")
    assert not witness.exists()


def test_it_keeps_its_users_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    (top / "notes.mine").write_text("1")
    (tmp_path / "ignore").write_text("*.mine\n")
    (tmp_path / "config").write_text(f"[core]\n\texcludesFile = {tmp_path}/ignore\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert WorkingTree(top).files() == ("a",)


def test_it_is_not_led_astray_by_the_hook_that_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    other = work_tree(tmp_path / "other", {"b": "1"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_PREFIX", "b/")
    tree = WorkingTree(top)
    assert (tree.top, tree.files()) == (top.resolve(), ("a",))


def test_it_changes_nothing(tmp_path: Path) -> None:
    top = work_tree(tmp_path / "web", {"a": "1"})
    os.utime(top / "a", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in sorted(top.rglob("*"))}
    tree = WorkingTree(top)
    tree.head(), tree.branch(), tree.files()
    assert {path: path.stat().st_mtime_ns for path in sorted(top.rglob("*"))} == before
