"""Installing the hook: over what it may write, and what it leaves alone."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.webhooks.repositories import bare_repository, clone_of, commit, git
from tests.webhooks.samples import OTHER_SECRET, SECRET
from webhooks.errors import InstallError, SecretError
from webhooks.install import check, install, script, uninstall

URL = "http://localhost:8000/"
FOREIGN = "#!/bin/sh\necho mine\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own git configuration takes part."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return bare_repository(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def foreign(bare: Path) -> Path:
    path = bare / "hooks/post-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(FOREIGN)
    path.chmod(0o755)
    return path


def test_install(bare: Path) -> None:
    path = install(bare, URL, "a/b", SECRET, 30.0)
    assert path == bare / "hooks/post-receive"
    assert path.read_text().startswith(f"#!{sys.executable} -I\n")
    assert mode(path) == 0o755
    settings = bare / "hooks/hookline.json"
    assert mode(settings) == 0o600
    assert json.loads(settings.read_text()) == {
        "url": "http://localhost:8000/hooks/git/a%2Fb",
        "secret": SECRET,
        "wait": 30.0,
    }
    assert git(bare, "config", "receive.advertisePushOptions").strip() == "true"
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []


def test_the_umask_widens_and_narrows_nothing(bare: Path) -> None:
    before = os.umask(0o077)
    try:
        path = install(bare, URL, "x", SECRET)
    finally:
        os.umask(before)
    assert mode(path) == 0o755
    assert mode(path.with_name("hookline.json")) == 0o600


def test_installing_again_replaces_ours(bare: Path) -> None:
    install(bare, URL, "x", SECRET)
    (bare / "hooks/.post-receive.new").write_text("left by a crash")
    path = install(bare, URL, "x", OTHER_SECRET)
    assert OTHER_SECRET in path.with_name("hookline.json").read_text()
    assert not (bare / "hooks/post-receive.before-hookline").exists()


def test_a_repository_without_a_hooks_folder(bare: Path) -> None:
    for entry in (bare / "hooks").iterdir():
        entry.unlink()
    (bare / "hooks").rmdir()
    assert install(bare, URL, "x", SECRET).exists()


def test_a_foreign_hook_is_refused_with_the_cure(bare: Path) -> None:
    path = foreign(bare)
    with pytest.raises(InstallError, match="--chain"):
        install(bare, URL, "x", SECRET)
    assert path.read_text() == FOREIGN
    assert not path.with_name("hookline.json").exists()


def test_a_foreign_hook_can_be_chained_and_comes_back(bare: Path, tmp_path: Path) -> None:
    path = foreign(bare)
    install(bare, "http://127.0.0.1:9", "x", SECRET, chain=True)
    assert path.with_name("post-receive.before-hookline").read_text() == FOREIGN
    install(bare, "http://127.0.0.1:9", "x", SECRET, chain=True)
    assert path.with_name("post-receive.before-hookline").read_text() == FOREIGN
    clone = clone_of(bare, tmp_path)
    commit(clone, "First")
    assert "remote: mine" in git(clone, "push", "origin", "main:refs/notes/x")
    assert uninstall(bare)
    assert path.read_text() == FOREIGN
    assert mode(path) == 0o755
    assert not path.with_name("post-receive.before-hookline").exists()


def test_a_dangling_link_is_a_foreign_hook(bare: Path) -> None:
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks/post-receive").symlink_to("nowhere")
    with pytest.raises(InstallError, match="somebody else's"):
        install(bare, URL, "x", SECRET)


def test_two_foreign_hooks_are_too_many(bare: Path) -> None:
    path = foreign(bare)
    path.with_name("post-receive.before-hookline").write_text("older")
    with pytest.raises(InstallError, match="remove one"):
        install(bare, URL, "x", SECRET, chain=True)
    assert path.read_text() == FOREIGN


def test_only_bare_repositories(tmp_path: Path, bare: Path) -> None:
    clone = clone_of(bare, tmp_path)
    for place in (tmp_path / "nowhere", tmp_path, clone, clone / ".git"):
        with pytest.raises(InstallError, match="no bare git repository"):
            install(place, URL, "x", SECRET)
        with pytest.raises(InstallError, match="no bare git repository"):
            uninstall(place)


def test_hooks_kept_elsewhere_are_refused(bare: Path) -> None:
    git(bare, "config", "core.hooksPath", "/srv/hooks")
    with pytest.raises(InstallError, match=r"core\.hooksPath /srv/hooks"):
        install(bare, URL, "x", SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%"])
def test_a_secret_that_cannot_sign_is_refused(secret: str, bare: Path) -> None:
    with pytest.raises(SecretError):
        install(bare, URL, "x", secret)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str, bare: Path) -> None:
    path = foreign(bare)
    with pytest.raises(InstallError, match="no address"):
        install(bare, url, "x", SECRET, chain=True)
    assert path.read_text() == FOREIGN


def test_uninstall(bare: Path) -> None:
    path = install(bare, URL, "x", SECRET)
    assert uninstall(bare)
    assert not path.exists()
    assert not path.with_name("hookline.json").exists()
    assert not uninstall(bare)


def test_uninstall_leaves_a_foreign_hook_alone(bare: Path) -> None:
    path = foreign(bare)
    assert not uninstall(bare)
    assert path.read_text() == FOREIGN


def test_without_git(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match="git cannot be run"):
        install(bare, URL, "x", SECRET)


@pytest.mark.parametrize(
    ("python", "first"),
    [
        ("/usr/bin/python3", "#!/usr/bin/python3 -I"),
        ("/my projects/bin/python3", "#!/usr/bin/env python3"),
        ("/" + "x" * 120, "#!/usr/bin/env python3"),
        ("", "#!/usr/bin/env python3"),
        ("/a\\1b/python3", "#!/a\\1b/python3 -I"),
    ],
)
def test_the_first_line(python: str, first: str) -> None:
    text = script(python)
    assert text.splitlines()[0] == first
    assert text.count("#!/") == 1


def test_looking_first_changes_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    bare = tmp_path / "bare.git"
    foreign = bare / "hooks" / "post-receive"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("#!/bin/sh\n")
    with pytest.raises(InstallError, match="--chain"):
        check(bare)
    check(bare, chain=True)
    assert foreign.read_text() == "#!/bin/sh\n"
