"""`hookline hook`: addresses and secrets for forges, and hooks in real bare repositories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.cli.hooks import directions, installed
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import ScriptedApi
from tests.support.repositories import BareRepository
from webhooks.signatures import new_secret


def made(hook_id: str) -> dict[str, str]:
    return {"id": hook_id, "url": f"http://ci/hooks/git/{hook_id}", "secret": new_secret()}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return BareRepository(tmp_path / "demo.git").path


def test_a_hook_for_a_forge(ask: Invoke, api: ScriptedApi) -> None:
    hook = made("h1")
    api.on("POST", "/hooks", hook, 201)
    place = "https://github.com/acme/demo"
    api.on("GET", "/repositories/acme%2Fdemo", {"forge": "github", "web_url": place})
    told = ask("hook", "add", "acme/demo").output
    assert told == (
        f"Address  http://ci/hooks/git/h1\nSecret   {hook['secret']}\n\n"
        "Add it at https://github.com/acme/demo/settings/hooks/new\n"
        "Content type: application/json\nEvents: Pushes, Pull requests\n"
    )
    assert json.loads(ask("hook", "add", "acme/demo", "--json").stdout) == hook
    assert api.bodies("POST", "/hooks") == [{"repository": "acme/demo"}] * 2


def test_where_it_belongs() -> None:
    gitea = {"forge": "gitea", "web_url": None, "clone_url": "ssh://git@git.example.com/a/b.git"}
    where, how, when = directions(gitea)
    assert where == "Add it at https://git.example.com/a/b/settings/hooks/gitea/new"
    assert "application/json" in how
    assert "push, pull request" in when
    github = {"forge": "github", "web_url": "https://github.com/a/b", "clone_url": "x"}
    where, _, _ = directions(github)
    assert where == "Add it at https://github.com/a/b/settings/hooks/new"
    where, _ = directions({"forge": "git", "clone_url": "/srv/a.git"})
    assert where.endswith(": hookline hook install /srv/a.git")


def test_listing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/hooks?repository=a", {"hooks": [{**made("h1"), "created_at": 1_750_000_000.0}]})
    header, row = ask("hook", "list", "a").output.splitlines()
    assert header.split() == ["ID", "MADE", "ADDRESS"]
    assert (row.split()[0], row.split()[-1]) == ("h1", "http://ci/hooks/git/h1")
    assert json.loads(ask("hook", "list", "a", "--json").stdout)["hooks"][0]["id"] == "h1"
    api.on("GET", "/hooks?repository=b", {"hooks": []})
    assert ask("hook", "list", "b").output == "b has no hook: hookline hook add b\n"


def test_removing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("DELETE", "/hooks/h1", status=204)
    assert ask("hook", "rm", "h1").output == "removed the hook h1\n"
    told = ask("hook", "rm", "h2")
    assert (told.exit_code, "nothing at /hooks/h2" in told.stderr) == (4, True)


def test_installing_registers_once_and_renews(ask: Invoke, api: ScriptedApi, bare: Path) -> None:
    api.refuse("GET", "/repositories/demo", 404, "no such repository")
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": str(bare.resolve())})
    api.on("POST", "/repositories", {}, 201)
    api.on("POST", "/hooks", made("h1"), 201)
    api.on("POST", "/hooks", made("h2"), 201)
    api.on("DELETE", "/hooks/h1", status=204)
    first = ask("hook", "install", str(bare), "--wait", "2.5")
    assert first.exit_code == 0, first.output
    path = bare.resolve() / "hooks" / "post-receive"
    assert first.output == (
        f"registered demo\ninstalled {path}\n"
        f"a push into {bare.resolve()} starts a run of demo at {api.url}\n"
    )
    settings = json.loads((path.parent / "hookline.json").read_text())
    assert (settings["url"], settings["wait"]) == (f"{api.url}/hooks/git/h1", 2.5)
    assert installed(bare, api.url) == "h1"
    assert api.bodies("POST", "/repositories") == [
        {"name": "demo", "forge": "git", "clone_url": str(bare.resolve())}
    ]
    second = ask("hook", "install", str(bare))
    assert second.output.startswith(f"renewed {path}\n")
    assert installed(bare, api.url) == "h2"
    assert [a.target for a in api.asked if a.method == "DELETE"] == ["/hooks/h1"]


def test_installing_where_the_old_hook_is_gone(ask: Invoke, api: ScriptedApi, bare: Path) -> None:
    api.on("GET", "/repositories/x", {"forge": "git", "clone_url": f"file://{bare.resolve()}"})
    api.on("POST", "/hooks", made("h1"), 201)
    api.on("POST", "/hooks", made("h2"), 201)
    ask("hook", "install", str(bare), "--name", "x")
    told = ask("hook", "install", str(bare), "--name", "x")
    assert (told.exit_code, "h1, was gone already" in told.stderr) == (0, True)


def test_a_name_that_means_another_repository(ask: Invoke, api: ScriptedApi, bare: Path) -> None:
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": "/srv/other.git"})
    told = ask("hook", "install", str(bare))
    assert told.exit_code == 2
    assert "demo is registered for /srv/other.git; choose another name with --name" in told.stderr


def test_what_stands_against_a_hook_is_told_before_anything_is_made(
    ask: Invoke, api: ScriptedApi, bare: Path
) -> None:
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / "post-receive").write_text("#!/bin/sh\n")
    told = ask("hook", "install", str(bare))
    assert (told.exit_code, "--chain" in told.stderr) == (2, True)
    assert api.asked == []
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": str(bare.resolve())})
    api.on("POST", "/hooks", made("h1"), 201)
    assert ask("hook", "install", str(bare), "--chain").exit_code == 0
    assert (bare / "hooks" / "post-receive.before-hookline").exists()


def test_a_hook_that_cannot_be_installed_is_not_left_at_the_server(
    ask: Invoke, api: ScriptedApi, bare: Path
) -> None:
    (bare / "hooks" / "hookline.json" / "in the way").mkdir(parents=True)
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": str(bare.resolve())})
    api.on("POST", "/hooks", made("h1"), 201)
    api.on("DELETE", "/hooks/h1", status=204)
    with pytest.raises(IsADirectoryError):
        ask("hook", "install", str(bare))
    assert [a.target for a in api.asked if a.method == "DELETE"] == ["/hooks/h1"]


def test_uninstalling(ask: Invoke, api: ScriptedApi, bare: Path) -> None:
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": str(bare.resolve())})
    api.on("POST", "/hooks", made("h1"), 201)
    ask("hook", "install", str(bare))
    told = ask("hook", "uninstall", str(bare))
    assert told.stdout == f"removed the hook from {bare.resolve()}\n"
    assert "later: hookline hook rm h1" in told.stderr
    assert not (bare / "hooks" / "post-receive").exists()
    told = ask("hook", "uninstall", str(bare))
    assert told.output == f"{bare.resolve()} has no hook of ours\n"


def test_uninstalling_tells_the_server(ask: Invoke, api: ScriptedApi, bare: Path) -> None:
    api.on("GET", "/repositories/demo", {"forge": "git", "clone_url": str(bare.resolve())})
    api.on("POST", "/hooks", made("h1"), 201)
    api.on("DELETE", "/hooks/h1", status=204)
    ask("hook", "install", str(bare))
    assert ask("hook", "uninstall", str(bare)).stderr == ""
    assert api.asked[-1].method == "DELETE"


@pytest.mark.parametrize(
    "text", ["nonsense", "{}", "[]", '{"url": "http://other/hooks/git/h1"}', '{"url": ""}']
)
def test_a_hook_of_somewhere_else_is_not_ours_to_remove(bare: Path, text: str) -> None:
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / "hookline.json").write_text(text)
    assert installed(bare, "http://ci") is None
