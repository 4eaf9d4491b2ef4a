"""Refs: git's own judgement and ours, side by side."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.errors import PayloadError
from webhooks.refs import checked, checked_branch, short


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/heads/a/b/c",
        "refs/tags/v1.0",
        "refs/notes/commits",
        "refs/heads/$(id)",
        "refs/heads/a`id`",
        "refs/heads/a;b&&c|d>e",
        "refs/heads/\"quoted'",
        "refs/heads/${{x}}",
        "refs/heads/<script>alert(1)</script>",
        "refs/heads/a%0Ab",
        "refs/heads/größe",
        "refs/heads/\u202egnp",
        "refs/heads/@",
        "refs/heads/HEAD",
        "refs/heads/a-",
        "refs/heads/" + "0" * 40,
        "refs/heads/" + "x" * 1013,
    ],
)
def test_sound_refs(ref: str) -> None:
    assert checked(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "refs",
        "refs/",
        "refs/heads",
        "refs/heads/",
        "/refs/heads/a",
        "heads/main/x",
        "refs//heads/a",
        "refs/heads/-x",
        "refs/heads/--upload-pack=x",
        "refs/tags/-x",
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a/.b",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/a.",
        "refs/heads/a@{1}",
        "refs/heads/a b",
        "refs/heads/a~b",
        "refs/heads/a^b",
        "refs/heads/a:b",
        "refs/heads/a?b",
        "refs/heads/a*b",
        "refs/heads/a[b",
        "refs/heads/a\\b",
        "refs/heads/a\nb",
        "refs/heads/a\n",
        "refs/heads/a\x7f",
        "refs/heads/a\x9b",
        "refs/heads/a\x00",
        "refs/heads/\ud800",
        "refs/heads/../../etc/passwd",
        "refs/heads/" + "x" * 1014,
        "refs/heads/" + "ü" * 600,
        None,
        7,
        ["refs/heads/main"],
    ],
)
def test_hostile_refs(ref: object) -> None:
    with pytest.raises(PayloadError) as error:
        checked(ref)
    assert error.value.code == "hostile-ref"
    assert str(error.value).isascii()
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1200


@pytest.mark.parametrize("name", ["main", "a/b", "refs/pull/7/head"])
def test_sound_branches(name: str) -> None:
    assert checked_branch(name) == name


@pytest.mark.parametrize("name", ["", "-x", "a b", "/a", None, 7])
def test_hostile_branches(name: object) -> None:
    with pytest.raises(PayloadError):
        checked_branch(name)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("refs/heads/a/b", "a/b"),
        ("refs/tags/v1", "tag v1"),
        ("refs/pull/7/head", "refs/pull/7/head"),
    ],
)
def test_short(ref: str, expected: str) -> None:
    assert short(ref) == expected


PIECES = [*"ab./-@{}~^:?*[\\ \x07\x7fü🦊", ".lock", "..", "@{"]
NAMES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@given(NAMES)
@settings(max_examples=150, deadline=None)
def test_git_agrees(name: str) -> None:
    ref = f"refs/heads/{name}"
    judged = subprocess.run(["git", "check-ref-format", ref], check=False, capture_output=True)
    try:
        checked(ref)
    except PayloadError:
        # Ours on top of git's: nothing that begins with a dash.
        assert judged.returncode == 1 or name.startswith("-")
    else:
        assert judged.returncode == 0
