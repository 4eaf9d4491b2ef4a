"""`hookline repo`: registering, listing, showing and removing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.cli.repositories import FORGES, located
from tests.runner.cli.conftest import Invoke
from tests.runner.cli.scripted_api import ScriptedApi
from webhooks.forges.registry import all_forges

MADE = {
    "name": "acme/demo",
    "forge": "github",
    "web_url": "https://github.com/acme/demo",
    "default_branch": "main",
    "visibility": "private",
    "created_at": 1_750_000_000.0,
    "clone_url": "https://github.com/acme/demo.git",
    "has_token": True,
    "api_url": None,
}


def test_the_forges_are_those_there_are() -> None:
    assert sorted(FORGES) == sorted(all_forges())


def test_registering(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/repositories", MADE, 201)
    told = ask("repo", "add", "acme/demo", "https://github.com/acme/demo.git")
    assert told.output == (
        "registered acme/demo (github, https://github.com/acme/demo.git)\n"
        "next: hookline hook add acme/demo\n"
    )
    assert api.bodies("POST", "/repositories") == [
        {"name": "acme/demo", "forge": "github", "clone_url": "https://github.com/acme/demo.git"}
    ]


def test_registering_with_everything(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/repositories", MADE, 201)
    words = ["repo", "add", "a/b", "https://git.example.com/a/b.git", "--forge", "gitea"]
    words += ["--api-url", "https://x", "--web-url", "https://y", "--default-branch", "trunk"]
    words += ["--public", "--token-env", "FORGE_TOKEN", "--json"]
    told = ask(*words, env={"FORGE_TOKEN": "secret"})
    assert json.loads(told.stdout) == MADE
    assert "secret" not in told.output
    assert api.bodies("POST", "/repositories") == [
        {
            "name": "a/b",
            "forge": "gitea",
            "clone_url": "https://git.example.com/a/b.git",
            "api_url": "https://x",
            "web_url": "https://y",
            "token": "secret",
            "default_branch": "trunk",
            "visibility": "public",
        }
    ]


def test_a_local_path_is_made_absolute(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/repositories", {**MADE, "forge": "git"}, 201)
    Path("bare.git").mkdir()
    ask("repo", "add", "demo", "bare.git")
    place = str(Path.cwd().resolve() / "bare.git")
    assert api.bodies("POST", "/repositories") == [
        {"name": "demo", "forge": "git", "clone_url": place}
    ]


@pytest.mark.parametrize(
    ("clone_url", "place", "forge"),
    [
        ("/srv/git/a.git", "/srv/git/a.git", "git"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git", "git"),
        ("ssh://git@github.com/a/b.git", "ssh://git@github.com/a/b.git", "github"),
        ("https://codeberg.org/a/b", "https://codeberg.org/a/b", "forgejo"),
        ("https://git.example.com/a/b", "https://git.example.com/a/b", None),
        ("git@github.com:a/b.git", "git@github.com:a/b.git", None),
    ],
)
def test_where_it_is(clone_url: str, place: str, forge: str | None) -> None:
    assert located(clone_url) == (place, forge)


def test_the_access_token_from_standard_input(ask: Invoke, api: ScriptedApi) -> None:
    api.on("POST", "/repositories", MADE, 201)
    ask("repo", "add", "a", "/srv/a", "--token-stdin", stdin="secret\n")
    assert api.bodies("POST", "/repositories")[0]["token"] == "secret"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["https://git.example.com/a"], "which forge is at https://git.example.com/a?"),
        (["/a", "--token-stdin"], "there was no token on standard input"),
        (["/a", "--token-env", "NOSUCH_TOKEN"], "the variable NOSUCH_TOKEN is not set"),
        (["/a", "--token-env", "X", "--token-stdin"], "exclude each other"),
    ],
)
def test_what_is_missing(ask: Invoke, api: ScriptedApi, words: list[str], told: str) -> None:
    result = ask("repo", "add", "a", *words, stdin="")
    assert (result.exit_code, told in result.stderr, api.asked) == (2, True, [])


def test_listing(ask: Invoke, api: ScriptedApi) -> None:
    seen = {name: value for name, value in MADE.items() if name not in ("clone_url", "api_url")}
    api.on("GET", "/repositories", {"repositories": [MADE, {**seen, "name": "b"}]})
    assert [line.split() for line in ask("repo", "list").output.splitlines()] == [
        ["NAME", "FORGE", "VISIBLE", "BRANCH", "PLACE"],
        ["acme/demo", "github", "private", "main", "https://github.com/acme/demo.git"],
        ["b", "github", "private", "main", "https://github.com/acme/demo"],
    ]
    assert len(json.loads(ask("repo", "list", "--json").stdout)["repositories"]) == 2


def test_listing_nothing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/repositories", {"repositories": []})
    assert ask("repo", "list").output.startswith("no repository yet: hookline repo add")


def test_showing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("GET", "/repositories/acme%2Fdemo", MADE)
    lines = ask("repo", "show", "acme/demo").output.splitlines()
    assert lines[0] == "name            acme/demo"
    assert "has token       yes" in lines
    assert "api url" in lines
    assert next(line for line in lines if line.startswith("created at")).split()[2:3] != [
        "1750000000.0"
    ]
    assert json.loads(ask("repo", "show", "acme/demo", "--json").stdout) == MADE


def test_removing(ask: Invoke, api: ScriptedApi) -> None:
    api.on("DELETE", "/repositories/acme%2Fdemo", status=204)
    assert ask("repo", "rm", "acme/demo", stdin="n\n").exit_code == 1
    assert api.asked == []
    assert ask("repo", "rm", "acme/demo", "--yes").output == "removed acme/demo\n"
    assert ask("repo", "rm", "acme/demo", stdin="y\n").exit_code == 0
    assert len(api.asked) == 2
